"""Copies of tables in which groups lie together, sorted with bounded memory in a child process."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from shared.domain.columns import Column
from shared.tables.arrow import schema_of
from shared.tables.child_process import ChildFailedError, ChildLimits, start_child
from shared.tables.scratch import scratch_directory

UNIT = "_unit"
ROW = "_row"
_MODULE = "shared.tables.arrange_child"
_MB = 1 << 20
_PROCESS_BYTES = 384 * _MB  # what the libraries of the child and a few batches take


class ArrangeFailed(Exception):
    """The table could not be arranged.

    `code` is ``arrange_timeout``, ``arrange_memory`` or ``arrange_failed``.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ArrangeLimits:
    """What one arrangement may use; above `memory_bytes` sorting goes on on disk."""

    memory_bytes: int = 128 * _MB
    wall_s: float = 900.0
    disk_bytes: int = 64 << 30


def arrange(
    batches: Iterable[pa.RecordBatch],
    columns: Sequence[Column],
    group_by: Sequence[str],
    order_by: Sequence[str],
    limits: ArrangeLimits | None = None,
    workdir: Path | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows grouped, as batches of at most 1 MB (a larger row is a batch of its own).

    The schema is that of the input plus `UNIT`, the number of the row's group by first appearance,
    and `ROW`, the row's number in the input; both int64 from 0. Null and NaN are groups like any
    other value; with no `group_by` all rows are group 0. In a group rows go by `order_by`,
    ascending, text by code point, NaN after numbers, null last, ties in row order.
    All input is taken before the first batch comes. Raises `ArrangeFailed`, and ValueError for an
    unknown column. `workdir` as in `sql.run_select`. Iterate in one thread.
    """
    names = [column.name for column in columns]
    unknown = [name for name in (*group_by, *order_by) if name not in names]
    if unknown:
        raise ValueError(f"no such column: {', '.join(unknown)}")
    if UNIT in names or ROW in names:
        raise ValueError(f"an input must not have the columns {UNIT} and {ROW}")
    keys = {
        "groups": [names.index(name) for name in group_by],
        "orders": [names.index(name) for name in order_by],
    }
    return _arranged(batches, schema_of(columns), keys, limits or ArrangeLimits(), workdir)


def _arranged(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    keys: dict[str, list[int]],
    limits: ArrangeLimits,
    workdir: Path | None,
) -> Iterator[pa.RecordBatch]:
    child_limits = ChildLimits(
        memory_bytes=limits.memory_bytes + _PROCESS_BYTES,
        wall_s=limits.wall_s,
        file_bytes=limits.disk_bytes,
    )
    try:
        with scratch_directory(workdir) as scratch:
            header = {**keys, "scratch": str(scratch), "memory_bytes": limits.memory_bytes}
            with start_child(_MODULE, header, child_limits) as child:
                child.send(schema, batches)
                child.close_input()
                yield from child.receive()
    except ChildFailedError as error:
        code = f"arrange_{error.code}"
        raise ArrangeFailed(code, error.detail) from error
