"""Lines of a text file with their numbers, bounded in length, that can be taken back."""

import csv
from collections import deque
from typing import TextIO

from shared.tables.readers.json_check import SURROGATE


class Lines:
    """The physical lines of a text, as an iterator that remembers the record being read.

    ``begin`` starts a record; ``take_back`` gives back all its lines but the first, so that a
    stray quote costs one line and not the rest of the file. ``fault`` says what is wrong with a
    line of the record. A record of more than ``limit`` characters raises csv.Error.
    """

    def __init__(self, text: TextIO, charset: str, limit: int) -> None:
        self._text = text
        self._charset = charset
        self._limit = limit
        self._line = 0  # lines handed out, not counting those taken back
        self._waiting: deque[tuple[str, str | None]] = deque()
        self._record: list[tuple[str, str | None]] = []
        self.size = 0
        self.first = 1
        self.fault: str | None = None

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        entry = self._waiting.popleft() if self._waiting else self._read()
        self._line += 1
        self._record.append(entry)
        line, fault = entry
        self.size += len(line)
        if fault is not None:
            self.fault = fault
        if self.size > self._limit:
            raise csv.Error(f"the row is longer than {self._limit} characters")
        return line

    def begin(self) -> None:
        """Start a record: what is read from now on belongs to it."""
        self._record.clear()
        self.size = 0
        self.fault = None
        self.first = self._line + 1

    def take_back(self) -> None:
        """Give back every line of the record but its first."""
        rest = self._record[1:]
        self._waiting.extendleft(reversed(rest))
        self._line -= len(rest)

    def skip(self, count: int) -> None:
        """Read over ``count`` lines."""
        for _ in range(count):
            self.begin()
            next(self, None)

    def _read(self) -> tuple[str, str | None]:
        line = self._text.readline(self._limit)
        if not line:
            raise StopIteration
        if len(line) == self._limit and not line.endswith(("\n", "\r")):
            return self._cut()
        if "\0" in line:
            return line, "a NUL character"
        if not line.isascii() and SURROGATE.search(line):
            return line, f"bytes that are not {self._charset}"
        return line, None

    def _cut(self) -> tuple[str, str | None]:
        while (part := self._text.readline(1 << 20)) and not part.endswith(("\n", "\r")):
            pass
        return "\n", f"the line is longer than {self._limit} characters"
