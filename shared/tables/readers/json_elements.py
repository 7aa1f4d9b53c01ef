"""Cuts a JSON array into the bytes of its elements while it is read, a piece at a time."""

import re
from collections.abc import Iterator
from typing import BinaryIO

_READ_BYTES = 256 << 10
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
# An object with nothing nested (the fast path), a string, the quote of a string that does not end
# in what was read, or one structural character.
_TOKEN = re.compile(
    rb'\{(?:[^{}\[\]"]++|' + _STRING + rb")*+\}|" + _STRING + rb'|["\[\]{},]', re.DOTALL
)


class BrokenArrayError(ValueError):
    """The array ends too early, is too large in one place, or has something behind it."""


def array_elements(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """Yield the raw bytes of each element of the array that ``file`` holds.

    Elements are told apart by commas, brackets and strings only; whether each is valid JSON is
    for the caller to see. Memory is bounded by ``limit``, the most bytes an element may have.
    Raises `BrokenArrayError` where elements cannot be told apart any more.
    """
    return _Cutter(file, limit).elements()


class _Cutter:
    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file = file
        self._limit = limit
        self._number = 1

    def elements(self) -> Iterator[bytes]:
        buffer = self._file.read(_READ_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
        start = position = 1  # behind the opening bracket
        depth = 0
        while True:
            for token in _TOKEN.finditer(buffer, position):
                begin, end = token.span()
                if end - begin > 1:
                    position = end
                    continue
                text = buffer[begin:end]
                if text == b'"':
                    position = begin
                    break
                position = end
                if text in b"{[":
                    depth += 1
                elif text in b"}]":
                    depth -= 1
                elif text != b"," or depth:
                    continue
                if depth < 0 or (depth == 0 and text == b","):
                    element = buffer[start : token.start()].strip()
                    if element or depth == 0 or self._number > 1:
                        yield element
                    if depth < 0:
                        self._expect_end(text, buffer[position:])
                        return
                    self._number += 1
                    start = position
            else:
                position = len(buffer)
            buffer, position, start = self._more(buffer[start:], position - start)

    def _more(self, rest: bytes, position: int) -> tuple[bytes, int, int]:
        """Return the unfinished element with more behind it; as much again, to stay linear."""
        more = self._file.read(max(_READ_BYTES, len(rest)))
        if not more:
            raise BrokenArrayError(f"the array breaks off in element {self._number}")
        if len(rest) > self._limit:
            raise BrokenArrayError(
                f"element {self._number} is longer than {self._limit} bytes or never closed"
            )
        return rest + more, position, 0

    def _expect_end(self, closing: bytes, rest: bytes) -> None:
        if closing != b"]":
            raise BrokenArrayError(f"a brace too many in element {self._number}")
        while rest:
            if rest.strip():
                raise BrokenArrayError("something follows the end of the array")
            rest = self._file.read(_READ_BYTES)
