"""Writes rows as JSON, one object on each line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson


def write_jsonl(batches: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[bytes]:
    """Yield the bytes of a JSON Lines file, a piece for each batch of JSON-ready rows."""
    for rows in batches:
        if rows:
            yield b"".join([orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows])
