"""How a delimited file is laid out: delimiter, escapes, header and width, told from its start."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.tables.readers.csv_types import looks_typed
from shared.tables.readers.json_check import printable

_SAMPLE_RECORDS = 200
_DELIMITERS = ("\t", ";", "|", ",")  # the earlier wins a tie: commas occur in prose and numbers
_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Dialect:
    """The layout of a delimited file.

    ``header_lines`` is how many physical lines stand before the first row of data.
    """

    delimiter: str
    escape: str | None
    skip_space: bool
    names: tuple[str, ...]
    has_header: bool
    header_lines: int

    def options(self) -> dict[str, Any]:
        """Return the arguments of `csv.reader`."""
        return _options(self.delimiter, self.escape, self.skip_space)

    def to_json(self) -> dict[str, Any]:
        """Return what a person wants to know of it."""
        return {"delimiter": self.delimiter, "escape": self.escape, "header": self.has_header}


def detect_dialect(sample: str) -> Dialect | None:
    """Return the layout that most of ``sample`` (the first whole lines) agrees with.

    None when there is no record in it.
    """
    escapes = (None, "\\") if '\\"' in sample else (None,)
    guesses = [
        _Guess(sample, delimiter, escape, f'{delimiter} "' in sample)
        for delimiter in _DELIMITERS
        for escape in escapes
    ]
    best = max(guesses, key=lambda guess: guess.score)
    if best.score == (0.0, 0):  # no delimiter parts the lines: a file of one column
        best = _Guess(sample, ",", None, False)
    return best.dialect()


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return usable names: trimmed, ``column_3`` for an empty one, ``name_2`` for a second."""
    taken = {_tidy(name) for name in names}
    used: set[str] = set()
    tried: dict[str, int] = {}
    result = []
    for number, raw in enumerate(names, 1):
        name = wanted = _tidy(raw) or f"column_{number}"
        while name in used or (name != wanted and name in taken):
            tried[wanted] = tried.get(wanted, 1) + 1
            name = f"{wanted}_{tried[wanted]}"
        used.add(name)
        result.append(name)
    return tuple(result)


class _Guess:
    """The start of the file parsed in one way."""

    def __init__(self, sample: str, delimiter: str, escape: str | None, skip_space: bool) -> None:
        self._layout = (delimiter, escape, skip_space)
        self.records: list[list[str]] = []
        self.errors = 0
        self._header_lines = 0
        reader = csv.reader(
            io.StringIO(sample, newline=""), **_options(delimiter, escape, skip_space)
        )
        while len(self.records) + self.errors < _SAMPLE_RECORDS:
            try:
                record = next(reader)
            except StopIteration:
                break
            except csv.Error:
                self.errors += 1
                continue
            if record:
                if not self.records and not self.errors:
                    self._header_lines = reader.line_num
                self.records.append(record)
        widths = Counter(map(len, self.records))
        self._width, agreeing = widths.most_common(1)[0] if widths else (0, 0)
        share = agreeing / max(1, len(self.records) + self.errors)
        # A few broken lines say nothing, so nine in ten count as all.
        self.score = (min(share, 0.9), self._width) if self._width > 1 else (0.0, 0)

    def dialect(self) -> Dialect | None:
        if not self.records:
            return None
        first = self.records[0]
        body = [record for record in self.records[1:] if len(record) == self._width]
        has_header = self._header_lines > 0 and _is_header(first, body)
        names = first if has_header else [""] * self._width
        return Dialect(
            *self._layout, unique_names(names), has_header, self._header_lines * has_header
        )


def _options(delimiter: str, escape: str | None, skip_space: bool) -> dict[str, Any]:
    return {
        "delimiter": delimiter,
        "escapechar": escape,
        "doublequote": True,
        "skipinitialspace": skip_space,
        "strict": True,
    }


def _is_header(first: list[str], body: list[list[str]]) -> bool:
    """Tell whether the first record names the columns.

    A name is text; what a column's values have in common (a type, or being said again) the name
    does not share. Where nothing tells, a header is assumed.
    """
    if any(looks_typed(cell) for cell in first) or not any(cell.strip() for cell in first):
        return False
    columns = list(zip(*body, strict=True)) if body and len(body[0]) == len(first) else []
    typed = [
        all(looks_typed(cell) for cell in column if cell) and any(column) for column in columns
    ]
    if any(typed):
        return True
    return not any(cell in column for cell, column in zip(first, columns, strict=False) if cell)


def _tidy(name: str) -> str:
    return printable(name.replace("\0", "")).strip()[:_NAME_CHARS]
