"""The single chunk of a small table that is written inside somebody else's transaction."""

import hashlib
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from shared.database.tables import Chunk
from shared.domain.columns import Column
from shared.tables.arrow import encode_chunk, rows_to_batch


def literal_chunk(rows: Sequence[dict[str, Any]], columns: tuple[Column, ...]) -> tuple[Chunk, str]:
    """Return chunk 0 holding all rows, and its sha256."""
    data = encode_chunk(pa.Table.from_batches([rows_to_batch(rows, columns)]))
    return Chunk(0, 0, len(rows), None, data), hashlib.sha256(data).hexdigest()
