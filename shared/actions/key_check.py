"""Whether a key column really tells rows apart, checked while the rows pass by."""

from array import array
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from shared.actions.refusals import FieldProblem, Invalid
from shared.contracts.json_values import canonical_json


class KeyCheck:
    """Remembers a hash per row; raises Invalid `key_not_unique` at the first repeat or null."""

    def __init__(self, key: str, pointer: str) -> None:
        self._key, self._pointer = key, pointer
        self._seen = Hashes()
        self._row = 0

    def add(self, values: Iterable[Any]) -> None:
        """Take the key values of the next rows in order (JSON values)."""
        for value in values:
            if value is None:
                raise self._refusal("is null")
            digest = blake2b(canonical_json(value), digest_size=8).digest()
            if not self._seen.add(int.from_bytes(digest)):
                raise self._refusal("repeats an earlier value")
            self._row += 1

    def _refusal(self, what: str) -> Invalid:
        detail = (
            f"The key column `{self._key}` {what} in row {self._row} (counted from 0); "
            "a key is unique and never null."
        )
        return Invalid([FieldProblem(self._pointer, detail)], "key_not_unique", detail)


class Hashes:
    """A set of 64-bit hashes in 16 to 32 bytes each; a set of Python's takes five times that.

    Of a million distinct keys, two share a hash once in some thirty million uploads.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 << 10))
        self._count = 0

    def add(self, number: int) -> bool:
        """Take a hash; False when it is there already."""
        number = number or 1  # 0 marks an empty slot
        if not self._put(number):
            return False
        self._count += 1
        if self._count * 2 > len(self._slots):
            self._grow()
        return True

    def _put(self, number: int) -> bool:
        slots, last = self._slots, len(self._slots) - 1
        place = number & last
        while slots[place]:
            if slots[place] == number:
                return False
            place = (place + 1) & last
        slots[place] = number
        return True

    def _grow(self) -> None:
        old, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
        for number in old:
            if number:
                self._put(number)


def require_column(names: Iterable[str], key: str, pointer: str) -> None:
    """Raise Invalid unless `key` is one of the columns."""
    known = list(names)
    if key not in known:
        shown = ", ".join(known[:20])
        raise Invalid([FieldProblem(pointer, f"There is no column `{key}`; there is {shown}.")])
