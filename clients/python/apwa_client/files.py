"""Files that answers are written to: whole, or not there; their endings tell formats."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

FORMAT_OF_ENDING = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
}


def format_of(path: str | os.PathLike[str], given: str | None) -> str:
    """Return the format given, else the one a file's ending tells; ValueError for none."""
    found = given or FORMAT_OF_ENDING.get(Path(path).suffix.lower())
    if found is None:
        raise ValueError(f"the ending of {path} tells no format; give format=")
    return found


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Yield a file to write to, which gets its name only when the block ends well."""
    final = Path(path)
    draft = final.with_name(f".{final.name}.part")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)
