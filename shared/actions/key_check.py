"""Whether a key column really tells rows apart, checked while the rows pass by."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from shared.actions.refusals import FieldProblem, Invalid
from shared.contracts.json_values import canonical_json


class KeyCheck:
    """Remembers a hash of 96 bits per row; raises Invalid `key_not_unique` at the first repeat."""

    def __init__(self, key: str, pointer: str) -> None:
        self._key, self._pointer = key, pointer
        self._seen: set[bytes] = set()
        self._row = 0

    def add(self, values: Iterable[Any]) -> None:
        """Take the key values of the next rows in order (JSON values)."""
        for value in values:
            if value is None:
                raise self._refusal("is null")
            digest = blake2b(canonical_json(value), digest_size=12).digest()
            if digest in self._seen:
                raise self._refusal("repeats an earlier value")
            self._seen.add(digest)
            self._row += 1

    def _refusal(self, what: str) -> Invalid:
        detail = (
            f"The key column `{self._key}` {what} in row {self._row} (counted from 0); "
            "a key is unique and never null."
        )
        return Invalid([FieldProblem(self._pointer, detail)], "key_not_unique", detail)


def require_column(names: Iterable[str], key: str, pointer: str) -> None:
    """Raise Invalid unless `key` is one of the columns."""
    known = list(names)
    if key not in known:
        shown = ", ".join(known[:20])
        raise Invalid([FieldProblem(pointer, f"There is no column `{key}`; there is {shown}.")])
