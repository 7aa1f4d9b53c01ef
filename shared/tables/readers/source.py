"""What the child is asked to read, and what a format's reader hands back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from shared.domain.columns import Column
from shared.tables.readers.records import ReadLimits, Tally


@dataclass(frozen=True, slots=True)
class Source:
    """A file or folder, the name its owner gave it, its format and the limits."""

    path: Path
    name: str
    format: str
    limits: ReadLimits


@dataclass(frozen=True, slots=True)
class Table:
    """What the first look at a file found, and the batches that the second will yield.

    ``batches`` has to be iterated once; it fills ``tally`` on its way.
    """

    columns: tuple[Column, ...]
    batches: Iterator[pa.RecordBatch]
    tally: Tally
    charset: str | None = None
    dialect: dict[str, Any] | None = None


Reader = Callable[[Source], Table]
