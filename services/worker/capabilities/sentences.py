"""Cuts a text into sentences and paragraphs by simple rules that hold for most languages."""

import re

# An end: . ! ? … with closing quotes and brackets, then white space; CJK ends need none.
_END = re.compile(r"[.!?…]{1,8}[\"'”’»)\]]{0,4}(?=\s)|[。！？]{1,8}[」』”）]{0,4}|\n[ \t\r]*\n")
_BLANK = re.compile(r"(?:\r\n|\r|\n)(?:[ \t]*(?:\r\n|\r|\n))+")
_SPACE = re.compile(r"\s*")
_LAST_WORD = re.compile(r"(?:^|[\s(\[\"“'‘«])([^\s(\[\"“'‘«]{1,12})\.$")
_BEFORE_NAMES = frozenset(["mr", "mrs", "ms", "dr", "prof", "st", "mme", "mlle", "hr", "fr", "sr"])
_WITHIN = frozenset(["e.g", "i.e", "cf", "vs", "al", "approx", "bzw", "z.b", "d.h", "u.a"])
_BEFORE_NUMBERS = frozenset(["no", "nr", "vol", "fig", "pp", "p", "art", "sec", "ch", "ca"])
_LOOK_BACK = 16


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs with the blank lines that follow each; joined they are the text."""
    return _tiles(text, [match.end() for match in _BLANK.finditer(text)])


def sentences(text: str) -> list[str]:
    """Return the sentences with the white space that follows each; joined they are the text."""
    ends: list[int] = []
    for match in _END.finditer(text):
        after = _end_of_space(text, match.end())
        if not _goes_on(text, match.start(), match.end(), after):
            ends.append(after)
    return _tiles(text, ends)


def _end_of_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return at if match is None else match.end()


def _goes_on(text: str, start: int, end: int, after: int) -> bool:
    """Whether the stop at `start` belongs to an abbreviation, an initial or a number."""
    if text[start] != "." or text.count("\n", end, after) > 1:
        return False
    if after < len(text) and text[after].islower():
        return True
    word = _LAST_WORD.search(text[max(0, start - _LOOK_BACK) : start + 1])
    if word is None:
        return False
    last = word.group(1)
    if last.lower() in _BEFORE_NUMBERS:
        return text[after : after + 1].isdigit()
    initial = len(last) == 1 and last.isupper() and last != "I"
    return initial or last.lower() in _BEFORE_NAMES or last.lower() in _WITHIN


def _tiles(text: str, ends: list[int]) -> list[str]:
    """Cut at `ends` (rising); a piece of white space alone joins the piece before or after it."""
    pieces: list[str] = []
    start = 0
    for end in [*ends, len(text)]:
        piece = text[start:end]
        if piece.strip():
            pieces.append(piece)
            start = end
    rest = text[start:]
    if rest and pieces:
        pieces[-1] += rest
    return pieces
