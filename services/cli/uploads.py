"""Turns `--input tickets.csv` or a folder into a table: named, streamed, never held in memory."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.cli.client import ApiClient, Body, Json
from services.cli.exits import CommandError

_BLOCK = 1 << 18
_FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "txt",
    ".text": "txt",
    ".md": "txt",
    ".rst": "txt",
    ".log": "txt",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
}
_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "txt": "text/plain",
    "html": "text/html",
}


@dataclass(frozen=True, slots=True)
class Input:
    """One `--input`: the name plans know it by, and the file, folder or stored table."""

    name: str
    path: Path | None
    table_id: str | None = None


def parse_input(text: str) -> Input:
    """Read ``FILE``, ``NAME=FILE`` or ``NAME=tbl_...``; the name defaults to the file's.

    Raises CommandError when there is no such file.
    """
    head, mark, tail = text.partition("=")
    named = bool(mark) and bool(re.fullmatch(r"[A-Za-z_]\w*", head)) and not Path(text).exists()
    target = tail if named else text
    if target.startswith("tbl_") and not Path(target).exists():
        return Input(head if named else "input", None, target)
    path = Path(target)
    if not path.exists():
        raise CommandError(f"there is no file or folder {target}")
    return Input(head if named else table_name(path), path)


def table_name(path: Path) -> str:
    """Return a name that plans and SQL can use: ``My data-2.csv`` is ``my_data_2``."""
    name = re.sub(r"\W+", "_", path.resolve().stem.lower(), flags=re.ASCII).strip("_")
    return f"t_{name}" if not name or name[0].isdigit() else name


def upload_table(client: ApiClient, source: Input, format_name: str | None = None) -> Json:
    """Store a file, or a folder as one row per document, and return the table."""
    if source.path is None:
        return client.get(f"/v1/tables/{source.table_id}")
    query = {"name": source.name, "format": format_name}
    if source.path.is_dir():
        return client.upload("/v1/tables", query, folder_body(source.path))
    query["format"] = format_name or _FORMATS.get(source.path.suffix.lower())
    return client.upload("/v1/tables", query, file_body(source.path))


def file_body(path: Path) -> Body:
    """Return one file as a request body."""
    media_type = _TYPES.get(_FORMATS.get(path.suffix.lower(), ""), "application/octet-stream")
    return Body(lambda: _blocks(path), path.stat().st_size, media_type)


def folder_body(folder: Path) -> Body:
    """Return every visible file below a folder as multipart/form-data, in order of their paths."""
    files = [path for path in sorted(folder.rglob("*")) if _wanted(path.relative_to(folder), path)]
    if not files:
        raise CommandError(f"the folder {folder} holds no files")
    boundary = f"apwa-{uuid.uuid4().hex}"
    heads = [_part_head(boundary, path.relative_to(folder)) for path in files]
    end = f"--{boundary}--\r\n".encode()
    sizes = [path.stat().st_size for path in files]
    length = sum(len(head) + size + 2 for head, size in zip(heads, sizes, strict=True)) + len(end)

    def pieces() -> Iterator[bytes]:
        for head, path in zip(heads, files, strict=True):
            yield head
            yield from _blocks(path)
            yield b"\r\n"
        yield end

    return Body(pieces, length, f"multipart/form-data; boundary={boundary}")


def _wanted(relative: Path, path: Path) -> bool:
    return path.is_file() and not any(part.startswith(".") for part in relative.parts)


def _part_head(boundary: str, relative: Path) -> bytes:
    name = relative.as_posix().replace("\\", "\\\\").replace('"', "%22")
    name = name.replace("\r", "%0D").replace("\n", "%0A")
    media_type = _TYPES.get(_FORMATS.get(relative.suffix.lower(), ""), "application/octet-stream")
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {media_type}\r\n\r\n"
    ).encode()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
