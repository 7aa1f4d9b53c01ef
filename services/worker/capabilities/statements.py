"""Finds what in a text may stand in a summary: sentences, not headings, labels or directions."""

import re
from collections.abc import Iterator

from services.worker.capabilities.sentences import paragraphs, sentences

LONGEST = 500  # characters; a longer "sentence" is cut at a space
FEWEST_WORDS = 4

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_BRACKETED = re.compile(r"^[\[(_].*[\])_]\.?$", re.DOTALL)
_NUMBERED = re.compile(r"^(?:#{1,6}\s|[^\W\d_]{0,12}\s?(?:\d+|[IVXLCDM]+)(?:[.:)]\s|[.:)]?$))")
_ENDS = tuple('.!?…。！？"”’»)')


def statements(text: str) -> list[str]:
    """Return the sentences of `text` in order, white space evened out.

    When there is none, whatever lines there are stand in for them, so that a text of headings
    is not summarised by nothing.
    """
    parts = paragraphs(text)
    indented = sum(part[:1].isspace() for part in parts)
    print_style = 2 * indented > len(parts)  # where all are indented it tells nothing
    found = [one for part in parts for one in _in_paragraph(part, print_style)]
    return found or [_even(line)[:LONGEST] for line in text.splitlines() if line.strip()]


def _in_paragraph(paragraph: str, print_style: bool) -> Iterator[str]:
    if _is_heading(paragraph) or _is_bracketed(paragraph):
        return
    if not print_style and _is_direction(paragraph):
        return
    for sentence in sentences(_without_label(paragraph)):
        even = _even(sentence)
        if len(_WORD.findall(even[:LONGEST])) >= FEWEST_WORDS or _has_no_spaces(even):
            yield from _cut(even)


def _is_heading(paragraph: str) -> bool:
    """Whether it is one line that is numbered, without a stop, or begins in capitals with one."""
    line = paragraph.strip()
    if "\n" in line:
        return False
    first = line.partition(". ")[0]
    open_ended = not line.endswith(_ENDS) and len(_WORD.findall(line[:LONGEST])) <= 12
    capitals = first != line and first.isupper() and len(first) > 1
    return open_ended or capitals or _NUMBERED.match(line) is not None


def _is_direction(paragraph: str) -> bool:
    return paragraph[:1].isspace() and len(paragraph.strip().splitlines()) <= 3


def _is_bracketed(paragraph: str) -> bool:
    return _BRACKETED.match(paragraph.strip()) is not None


def _without_label(paragraph: str) -> str:
    """Drop a speaker's name that stands on a line of its own over the speech."""
    first, newline, rest = paragraph.partition("\n")
    label = first.strip()
    few = len(label.split()) <= 3
    return rest if newline and few and label.isupper() and label[-1:] in (".", ":") else paragraph


def _has_no_spaces(text: str) -> bool:
    return len(text) >= 10 and " " not in text  # languages written without them


def _even(text: str) -> str:
    return " ".join(text.split())


def _cut(sentence: str) -> Iterator[str]:
    while len(sentence) > LONGEST:
        at = sentence.rfind(" ", LONGEST // 2, LONGEST)
        at = at if at > 0 else LONGEST
        yield sentence[:at].rstrip()
        sentence = sentence[at:].lstrip()
    if sentence:
        yield sentence
