"""A few rows of a table, clipped, that a planner or a person may look at."""

from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from shared.tables.arrow import batch_to_rows

_FIRST = 5


class SampleRows:
    """Keeps the first five rows and draws the others evenly from the rest, batch by batch.

    ``n`` is the number of rows kept in all, ``clip`` the most characters of a value. The draw is
    seeded: the same table always has the same sample.
    """

    def __init__(self, n: int = 20, clip: int = 400) -> None:
        self._first = min(n, _FIRST)
        self._drawn = n - self._first
        self._clip = clip
        self._rows = 0
        self._head: list[dict[str, Any]] = []
        self._rest: list[tuple[float, int, dict[str, Any]]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Look at the rows of one batch."""
        start, self._rows = self._rows, self._rows + batch.num_rows
        if start < self._first:
            head = batch.slice(0, self._first - start)
            self._head += [self._clipped(row) for row in batch_to_rows(head)]
        if not self._drawn or not batch.num_rows:
            return
        keys = pc.random(batch.num_rows, initializer=start)
        chosen = [
            (key, index) for index, key in self._smallest(keys) if start + index >= self._first
        ][: self._drawn]
        taken = batch.take(pa.array([index for _, index in chosen], pa.int64()))
        self._rest += [
            (key, start + index, self._clipped(row))
            for (key, index), row in zip(chosen, batch_to_rows(taken), strict=True)
        ]
        self._rest = sorted(self._rest, key=lambda entry: entry[:2])[: self._drawn]

    def result(self) -> list[dict[str, Any]]:
        """Return the rows in table order, JSON-ready, each with its number (from 0) as ``_row``."""
        rest = sorted(self._rest, key=lambda entry: entry[1])
        head = [{"_row": number, **row} for number, row in enumerate(self._head)]
        return head + [{"_row": number, **row} for _, number, row in rest]

    def _smallest(self, keys: Any) -> list[tuple[int, float]]:
        """Return index and key of the rows that may enter, the smallest keys first."""
        order = pc.array_sort_indices(keys)[: self._drawn + self._first]
        pairs = list(zip(order.to_pylist(), keys.take(order).to_pylist(), strict=True))
        if len(self._rest) < self._drawn:
            return pairs
        return [(index, key) for index, key in pairs if key < self._rest[-1][0]]

    def _clipped(self, row: dict[str, Any]) -> dict[str, Any]:
        return {name: self._clipped_value(value) for name, value in row.items()}

    def _clipped_value(self, value: Any) -> Any:
        if isinstance(value, (dict, list)):
            text = orjson.dumps(value).decode()
            return value if len(text) <= self._clip else text[: self._clip - 1] + "…"
        if isinstance(value, str) and len(value) > self._clip:
            return value[: self._clip - 1] + "…"
        return value
