"""Bodies of answers into files: whole, or not there."""

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from apwa_client.aio.client import AsyncClient

_ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}


def format_of(path: str | os.PathLike[str], given: str | None) -> str:
    """Return the format given, else the one a file's ending tells; ValueError for none."""
    found = given or _ENDINGS.get(Path(path).suffix.lower())
    if found is None:
        raise ValueError(f"the ending of {path} tells no format; give format=")
    return found


async def save(
    client: "AsyncClient", path: str | os.PathLike[str], operation_id: str, **parameters: Any
) -> int:
    """Write the body of an answer to a file and return its bytes.

    The file appears under its name only when it is whole.
    """
    final = Path(path)
    draft = final.with_name(f".{final.name}.part")
    try:
        with draft.open("wb") as file:
            written = await write(client, file, operation_id, **parameters)
        draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)
    return written


async def write(
    client: "AsyncClient", target: IO[bytes], operation_id: str, **parameters: Any
) -> int:
    """Write the body of an answer to an open file as it comes, and return its bytes."""
    written = 0
    async with client.stream(operation_id, **parameters) as response:
        async for block in response.aiter_bytes():
            target.write(block)
            written += len(block)
    return written
