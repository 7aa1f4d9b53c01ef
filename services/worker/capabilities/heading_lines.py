"""Decides which of the lines that match a level's pattern are headings.

The rules are told, with examples, in docs/capabilities.md.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import regex

from services.worker.capabilities.patterns import PatternClock

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_NUMBER = re.compile(r"\d|\b[IVXLCDM]+\b")
_BRACKETED = re.compile(r"[\[(_].*[\])_]\.?$")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `text` without its end, which lies between `start` and `end` of the whole."""

    start: int
    end: int
    text: str

    @property
    def blank(self) -> bool:
        """Whether there is nothing but white space."""
        return not self.text.strip()

    @property
    def direction(self) -> bool:
        """Whether it reads like a stage direction: indented, or in brackets or underscores."""
        return self.text[:1].isspace() or _BRACKETED.match(self.text.strip()) is not None


@dataclass(slots=True)
class Heading:
    """A heading: index of its line, level (0 is outermost), whether blank lines surround it."""

    at: int
    level: int
    apart: bool
    labels: set[str] = field(default_factory=set)  # speakers' labels found to belong to it


def lines_of(text: str) -> list[Line]:
    """Return the lines of `text`, ended by LF, CRLF or CR; together they are the text."""
    return [Line(m.start(), m.end(), m.group().rstrip("\r\n")) for m in _LINE.finditer(text)]


def headings_in(
    lines: Sequence[Line], levels: Sequence[regex.Pattern[str]], clock: PatternClock
) -> list[Heading]:
    """Return the headings in order; `levels` are the patterns, outermost first."""
    matching = _matching(lines, levels, clock)
    set_apart = _levels_set_apart(lines, matching)
    headings: list[Heading] = []
    in_force: dict[int, Heading] = {}
    for at, level in matching.items():
        above = _open_above(lines, matching, at)
        if level in set_apart and not above:
            continue
        if _is_label_of(in_force.get(level), lines, at):
            continue
        heading = Heading(at, level, apart=above and _open_below(lines, at))
        in_force = {k: v for k, v in in_force.items() if k < level} | {level: heading}
        headings.append(heading)
    return headings


def _matching(
    lines: Sequence[Line], levels: Sequence[regex.Pattern[str]], clock: PatternClock
) -> dict[int, int]:
    """Return line index -> level for every line some pattern matches; the outermost wins."""
    found: dict[int, int] = {}
    for index, line in enumerate(lines):
        if line.blank:
            continue
        for level, pattern in enumerate(levels):
            if clock.matches(pattern, line.text):
                found[index] = level
                break
    return found


def _levels_set_apart(lines: Sequence[Line], matching: dict[int, int]) -> set[int]:
    """Return the levels most of whose lines follow a blank line: there, others are no headings."""
    first = next((index for index, line in enumerate(lines) if not line.blank), 0)
    surplus: dict[int, int] = {}
    for at, level in matching.items():
        if at != first:  # nothing can stand above it, so it says nothing about the custom
            step = 1 if _open_above(lines, matching, at) else -1
            surplus[level] = surplus.get(level, 0) + step
    return {level for level, more in surplus.items() if more > 0}


def _open_above(lines: Sequence[Line], matching: dict[int, int], at: int) -> bool:
    if at == 0 or lines[at - 1].blank:
        return True
    return matching.get(at - 1, matching[at]) < matching[at]  # SCENE I right under ACT I


def _open_below(lines: Sequence[Line], at: int) -> bool:
    return at + 1 == len(lines) or lines[at + 1].blank


def _is_label_of(section: Heading | None, lines: Sequence[Line], at: int) -> bool:
    """Tell a speaker's label from a heading (``CHORUS.`` right over a speech in a prologue)."""
    label = lines[at].text.strip()
    if section is None or not section.apart or _open_below(lines, at):
        return False
    if label[-1:] not in (".", ":") or _NUMBER.search(label):
        return False
    if label in section.labels:
        return True
    between = (lines[index] for index in range(section.at + 1, at))
    if all(line.blank or line.direction for line in between):
        section.labels.add(label)
        return True
    return False
