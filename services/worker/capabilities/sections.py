"""Cuts a text into sections at its headings, losing no character."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex

from services.worker.capabilities.heading_lines import Heading, Line, headings_in, lines_of
from services.worker.capabilities.patterns import PatternClock

MOST_DIRECTIONS = 3  # lines of stage direction that are passed on to the section inside

Names = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text with the heading line in force at each level, None where none is."""

    text: str
    headings: Names


@dataclass(frozen=True, slots=True)
class _Section:
    names: Names
    body: Sequence[Line]
    end: int
    leads_inward: bool  # the next heading is of a deeper level

    @property
    def stands_alone(self) -> bool:
        written = [line for line in self.body if not line.blank]
        slight = len(written) <= MOST_DIRECTIONS and all(line.direction for line in written)
        return bool(written) and not (slight and self.leads_inward)


def cut_at_headings(
    text: str, levels: Sequence[regex.Pattern[str]], *, keep_front: bool, clock: PatternClock
) -> list[Piece]:
    """Return the sections of `text` in order; `levels` are the patterns, outermost first.

    The pieces joined are the text, less the front (what stands before the first heading) when
    it is not kept. A text without any heading is one piece in either case; a blank one is none.
    """
    lines = lines_of(text)
    headings = headings_in(lines, levels, clock)
    if not headings:
        return [Piece(text, (None,) * len(levels))] if text.strip() else []
    start = lines[headings[0].at].start
    front = Piece(text[:start], (None,) * len(levels))
    sections = list(_sections(lines, headings, len(levels)))
    if not keep_front:
        return _joined(text, start, sections)
    if not front.text.strip():
        return _joined(text, 0, sections)
    return [front, *_joined(text, start, sections)]


def _sections(lines: Sequence[Line], headings: Sequence[Heading], depth: int) -> Iterator[_Section]:
    names: list[str | None] = [None] * depth
    for heading, after in zip(headings, [*headings[1:], None], strict=True):
        names[heading.level :] = [None] * (depth - heading.level)
        names[heading.level] = lines[heading.at].text.strip()
        last = after.at if after is not None else len(lines)
        yield _Section(
            names=tuple(names),
            body=lines[heading.at + 1 : last],
            end=lines[last - 1].end,
            leads_inward=after is not None and after.level > heading.level,
        )


def _joined(text: str, start: int, sections: Sequence[_Section]) -> list[Piece]:
    """Return a piece per section with a body; a section without one goes in front of the next."""
    pieces: list[Piece] = []
    for section in sections:
        if section.stands_alone:
            pieces.append(Piece(text[start : section.end], section.names))
            start = section.end
    rest = text[start:]
    if not rest:
        return pieces
    if not pieces:
        return [Piece(rest, sections[-1].names)]
    return [*pieces[:-1], Piece(pieces[-1].text + rest, pieces[-1].headings)]
