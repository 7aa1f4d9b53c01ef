"""What requests carry: bodies that can be sent again from their start, in constant memory."""

import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

BLOCK = 1 << 18
Progress = Callable[[int, int], None]
"""Called with bytes sent so far and bytes in all; a retry begins at zero again."""

FORMATS = {
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
    ".xml": "xml",
    ".rss": "xml",
    ".atom": "xml",
    ".pdf": "pdf",
    ".docx": "docx",
    ".xlsx": "xlsx",
    ".zip": "zip",
}
MEDIA_TYPES = {
    "csv": "text/csv",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "txt": "text/plain",
    "html": "text/html",
    "xml": "application/xml",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}
ANYTHING = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Body:
    """What to send: `open` returns it from its start, in blocks; `length` in bytes."""

    open: Callable[[], Iterable[bytes]]
    length: int
    content_type: str


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a multipart body."""

    name: str
    file_name: str
    body: Body


def json_body(value: Any) -> Body:
    """Return a value as JSON; what cannot be UTF-8 is sent as it is, for the API to refuse."""
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return bytes_body(content.encode("utf-8", "surrogatepass"), "application/json")


def bytes_body(content: bytes, content_type: str = ANYTHING) -> Body:
    """Return bytes as a body, in blocks so that progress can be told."""

    def blocks() -> Iterator[bytes]:
        for at in range(0, len(content), BLOCK):
            yield content[at : at + BLOCK]

    return Body(blocks, len(content), content_type)


def file_body(path: str | os.PathLike[str]) -> Body:
    """Return one file as a body; its media type is told by its ending."""
    file = Path(path)
    return Body(lambda: _blocks_of(file), file.stat().st_size, media_type_of(file.name))


def open_file_body(file: IO[bytes], content_type: str) -> Body:
    """Return an open file that can be rewound as a body; it must stay open."""
    length = file.seek(0, os.SEEK_END)

    def blocks() -> Iterator[bytes]:
        file.seek(0)
        while block := file.read(BLOCK):
            yield block

    return Body(blocks, length, content_type)


def folder_body(folder: Path) -> Body:
    """Return every visible file below a folder as one multipart body, in order of paths."""
    names = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    wanted = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    if not wanted:
        raise ValueError(f"the folder {folder} holds no files")
    parts = [Part("file", name.as_posix(), file_body(folder / name)) for name in wanted]
    return multipart_body([], parts)


def multipart_body(fields: Sequence[tuple[str, Body]], parts: Sequence[Part]) -> Body:
    """Return fields and files as multipart/form-data of a known length."""
    boundary = f"apwa-{uuid.uuid4().hex}"
    end = f"--{boundary}--\r\n".encode()
    pieces = [(_field_head(boundary, name, body), body) for name, body in fields]
    pieces += [(_file_head(boundary, part), part.body) for part in parts]
    length = sum(len(head) + body.length + 2 for head, body in pieces) + len(end)

    def blocks() -> Iterator[bytes]:
        for head, body in pieces:
            yield head
            yield from body.open()
            yield b"\r\n"
        yield end

    return Body(blocks, length, f"multipart/form-data; boundary={boundary}")


def with_progress(body: Body, progress: Progress | None) -> Body:
    """Return the body telling how far it was sent."""
    if progress is None:
        return body

    def blocks() -> Iterator[bytes]:
        sent = 0
        progress(0, body.length)
        for block in body.open():
            yield block
            sent += len(block)
            progress(sent, body.length)

    return replace(body, open=blocks)


def media_type_of(file_name: str) -> str:
    """Return the media type a file's ending tells."""
    return MEDIA_TYPES.get(FORMATS.get(Path(file_name).suffix.lower(), ""), ANYTHING)


def query_text(query: Mapping[str, Any]) -> dict[str, str]:
    """Return query parameters as text; None is left out."""
    return {name: _text(value) for name, value in query.items() if value is not None}


def path_text(value: Any) -> str:
    """Return one part of a path, quoted; an empty one would name another path."""
    text = str(value)
    if not text:
        raise ValueError("an id is empty")
    return quote(text, safe=":@")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, set, frozenset)):
        return ",".join(str(item) for item in value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value)


def _blocks_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _field_head(boundary: str, name: str, body: Body) -> bytes:
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n'
        f"Content-Type: {body.content_type}\r\n\r\n"
    ).encode()


def _file_head(boundary: str, part: Part) -> bytes:
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(part.name)}"; '
        f'filename="{_quoted(part.file_name)}"\r\nContent-Type: {part.body.content_type}\r\n\r\n'
    ).encode("utf-8", "surrogateescape")


def _quoted(name: str) -> str:
    """Escape a name as browsers do, so that it cannot end its header."""
    escaped = name.replace("\\", "\\\\").replace('"', "%22")
    return escaped.replace("\r", "%0D").replace("\n", "%0A")
