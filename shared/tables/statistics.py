"""Statistics of every column of a table, gathered batch by batch in constant memory."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from shared.domain.columns import Column
from shared.tables.arrow import batch_to_rows, columns_of

_EXACT_DISTINCT = 10_000
_RESERVOIR = 1_000
_CLIP_CHARS = 64
_UINT64 = pa.uint64()


class TableStatistics:
    """Accumulates over batches that have the types of `arrow.schema_of`."""

    def __init__(self) -> None:
        self.rows = 0
        self._columns: dict[str, _ColumnStatistics] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the rows of one batch; every batch has the same columns."""
        columns = columns_of(batch.schema)
        if not self._columns:
            self._columns = {column.name: _ColumnStatistics(column) for column in columns}
        if not batch.num_rows:
            return
        # One random number per row serves the reservoirs of all columns; seeded, so that the
        # same table always has the same statistics.
        keys = pc.random(batch.num_rows, initializer=self.rows)
        self.rows += batch.num_rows
        for index, column in enumerate(columns):
            self._columns[column.name].add(batch.column(index), keys)

    def result(self) -> dict[str, dict[str, Any]]:
        """Return, JSON-ready, for each column name what is known of it.

        ``nulls``; ``distinct`` values that are not null, and ``distinct_exact``: true up to 10,000,
        else an estimate within about 2%; ``min`` and ``max`` (text clipped to 64 characters; None
        for json); ``mean`` of integers and numbers; ``mean_length, max_length, p95_length`` in
        characters of text and of JSON text (the last from 1,000 rows drawn). None where it has
        no meaning.
        """
        return {name: column.result() for name, column in self._columns.items()}


class _ColumnStatistics:
    def __init__(self, column: Column) -> None:
        self._column = column
        self._nulls = 0
        self._values = 0
        self._distinct = _Smallest(_EXACT_DISTINCT)
        self._bounds: Any = None
        self._sum = 0.0
        self._lengths = _Lengths()

    def add(self, array: Any, keys: Any) -> None:
        self._nulls += array.null_count
        if array.null_count:
            keys = keys.filter(array.is_valid())
            array = array.drop_null()
        if self._column.type == "number":
            finite = pc.is_finite(array)
            self._nulls += len(array) - pc.sum(finite, min_count=0).as_py()
            array = array.filter(finite)
        if not len(array):
            return
        self._values += len(array)
        self._distinct.add(_hashes(array))
        if self._column.type in ("string", "json"):
            self._lengths.add(pc.utf8_length(array), keys)
        if self._column.type == "string":
            array = pc.utf8_slice_codeunits(array, 0, _CLIP_CHARS)
        if self._column.type in ("integer", "number"):
            self._sum += pc.sum(pc.cast(array, pa.float64(), safe=False)).as_py()
        if self._column.type != "json":
            self._widen(array)

    def result(self) -> dict[str, Any]:
        numeric = self._column.type in ("integer", "number") and self._values
        return {
            "nulls": self._nulls,
            "distinct": self._distinct.estimate(),
            "distinct_exact": self._distinct.is_exact,
            **self._extremes(),
            "mean": _finite(self._sum / self._values) if numeric else None,
            **self._lengths.result(self._values),
        }

    def _widen(self, array: Any) -> None:
        kind = array.type
        if pa.types.is_boolean(kind):
            array = pc.cast(array, pa.int8())
        found = pc.min_max(array)
        pair = pa.array([found["min"].as_py(), found["max"].as_py()], array.type)
        if self._bounds is not None:
            found = pc.min_max(pa.concat_arrays([self._bounds, pair]))
            pair = pa.array([found["min"].as_py(), found["max"].as_py()], array.type)
        self._bounds = pair

    def _extremes(self) -> dict[str, Any]:
        if self._bounds is None:
            return {"min": None, "max": None}
        column = Column("bound", self._column.type)
        bounds = self._bounds
        if column.type == "boolean":
            bounds = pc.cast(bounds, pa.bool_())
        batch = pa.RecordBatch.from_arrays([bounds], names=["bound"])
        low, high = batch_to_rows(batch)
        return {"min": low["bound"], "max": high["bound"]}


class _Smallest:
    """The smallest k hashes seen: all of them up to k, then the measure of how many there were."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: Any = pa.array([], _UINT64)
        self._ceiling: Any = None

    @property
    def is_exact(self) -> bool:
        return self._ceiling is None

    def add(self, hashes: Any) -> None:
        if self._ceiling is not None:
            hashes = hashes.filter(pc.less(hashes, self._ceiling))
        merged = pc.unique(pa.concat_arrays([self._kept, hashes]))
        if len(merged) > self._size:
            merged = pc.take(merged, pc.array_sort_indices(merged))[: self._size]
            self._ceiling = merged[-1]
        self._kept = merged

    def estimate(self) -> int:
        if self._ceiling is None:
            return len(self._kept)
        share = int(self._ceiling.as_py()) / 2**64
        return round((self._size - 1) / share)


class _Lengths:
    def __init__(self) -> None:
        self._sum = 0
        self._max = 0
        self._keys: Any = pa.array([], pa.float64())
        self._drawn: Any = pa.array([], pa.int32())

    def add(self, lengths: Any, keys: Any) -> None:
        self._sum += pc.sum(lengths).as_py()
        self._max = max(self._max, pc.max(lengths).as_py())
        if len(self._keys) == _RESERVOIR:
            low = pc.less(keys, pc.max(self._keys))
            keys, lengths = keys.filter(low), lengths.filter(low)
        self._keys = pa.concat_arrays([self._keys, keys])
        self._drawn = pa.concat_arrays([self._drawn, lengths])
        if len(self._keys) > _RESERVOIR:  # the rows with the smallest keys are a fair draw
            order = pc.array_sort_indices(self._keys)[:_RESERVOIR]
            self._keys, self._drawn = self._keys.take(order), self._drawn.take(order)

    def result(self, values: int) -> dict[str, Any]:
        if not len(self._drawn):
            return {"mean_length": None, "max_length": None, "p95_length": None}
        ordered = sorted(self._drawn.to_pylist())
        return {
            "mean_length": round(self._sum / values, 1),
            "max_length": self._max,
            "p95_length": ordered[(len(ordered) * 95 - 1) // 100],
        }


def _hashes(array: Any) -> Any:
    """Return 64-bit hashes of the distinct values, the same in every process."""
    values = pc.unique(array)
    if pa.types.is_string(values.type):
        digests = b"".join([blake2b(value, digest_size=8).digest() for value in _bytes_of(values)])
        return pa.Array.from_buffers(_UINT64, len(values), [None, pa.py_buffer(digests)])
    if pa.types.is_boolean(values.type) or pa.types.is_date32(values.type):
        values = pc.cast(pc.cast(values, pa.int32()), pa.int64())
    return _mixed(values.view(_UINT64))


def _bytes_of(values: Any) -> Sequence[bytes]:
    return list(pc.cast(values, pa.binary()).to_pylist())


def _mixed(numbers: Any) -> Any:
    """Spread 64-bit numbers evenly (the finalizer of splitmix64)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        numbers = pc.bit_wise_xor(numbers, pc.shift_right(numbers, pa.scalar(shift, _UINT64)))
        numbers = pc.multiply(numbers, pa.scalar(factor, _UINT64))
    return pc.bit_wise_xor(numbers, pc.shift_right(numbers, pa.scalar(31, _UINT64)))


def _finite(value: float) -> float | None:
    return value if abs(value) != float("inf") else None
