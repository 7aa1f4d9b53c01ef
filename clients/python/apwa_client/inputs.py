"""What `run(inputs=...)` takes, as the API's inputs and the files that go with them."""

import importlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any

from apwa_client.bodies import (
    FORMATS,
    MEDIA_TYPES,
    Body,
    Part,
    file_body,
    folder_body,
    json_body,
    multipart_body,
    open_file_body,
)
from apwa_client.rows import Row, is_arrow, is_rows, line_of, rows_of

INLINE_BYTES = 2_000_000  # of all inputs together; the rest goes as files beside the JSON
_TABLE_ID = re.compile(r"tbl_[0-9a-z]+\Z")


@dataclass(frozen=True, slots=True)
class Input:
    """An input with more to say: `key` is a unique column, `format` and `sheet` those of a file."""

    data: Any
    key: str | None = None
    format: str | None = None
    sheet: str | None = None


@dataclass(slots=True)
class Prepared:
    """Inputs as JSON, the files named after them, and folders to be stored as tables first."""

    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    folders: dict[str, Body] = field(default_factory=dict)
    left: int = INLINE_BYTES

    def body(self, request: Mapping[str, Any]) -> Body:
        """Return the body of a request with these inputs."""
        document = {**request, "inputs": self.inputs} if self.inputs else dict(request)
        if not self.parts:
            return json_body(document)
        return multipart_body([("job", json_body(document))], self.parts)


@contextmanager
def prepared(inputs: Mapping[str, Any] | None) -> Iterator[Prepared]:
    """Yield the inputs ready to be sent; temporary files end with the block.

    A `str` is text, or the id of a table; a `Path` is a file or folder; a dict is passed on as
    the API's own form; anything with rows (frames, arrow tables, iterables of dicts) is a table.
    """
    ready = Prepared()
    with ExitStack() as kept:
        for name, given in (inputs or {}).items():
            source = given if isinstance(given, Input) else Input(given)
            extra = {"key": source.key, "format": source.format, "sheet": source.sheet}
            own = _add(ready, name, source, kept)
            told = {what: value for what, value in extra.items() if value is not None}
            ready.inputs[name] = {**own, **told}
        yield ready


@contextmanager
def table_body(data: Any) -> Iterator[tuple[Body, str | None, str | None]]:
    """Yield data as the body of a new table, with its format and name where they are known."""
    if isinstance(data, Body):
        yield data, None, None
    elif isinstance(data, os.PathLike):
        path = Path(data)
        if path.is_dir():
            yield folder_body(path), None, path.name
        else:
            yield file_body(path), FORMATS.get(path.suffix.lower()), path.name
    elif isinstance(data, str):
        raise TypeError("a table is made of rows or of a file: write Path(...) for a file")
    else:
        with ExitStack() as kept:
            format_ = "parquet" if is_arrow(data) else "ndjson"
            yield _spooled(data, kept), format_, None


def _add(ready: Prepared, name: str, source: Input, kept: ExitStack) -> dict[str, Any]:
    data = source.data
    if isinstance(data, str):
        return _text_or_table(name, data)
    if isinstance(data, os.PathLike):
        return _file(ready, name, Path(data))
    if isinstance(data, Mapping):
        return _own_form(data)
    if not is_rows(data):
        raise TypeError(f"the input {name} is {type(data).__name__}, which holds no rows")
    if is_arrow(data):
        ready.parts.append(Part(name, f"{name}.parquet", _spooled(data, kept)))
        return {}
    return _rows(ready, name, data, kept)


def _text_or_table(name: str, text: str) -> dict[str, Any]:
    if _TABLE_ID.match(text):
        return {"table": text}
    if _may_be_meant_as_file(text):
        raise ValueError(
            f"the input {name} is text that names a file: write Path({text!r}) for the file, or "
            f'{{"text": ...}} for the text'
        )
    return {"text": text}


def _may_be_meant_as_file(text: str) -> bool:
    if len(text) > 1000 or "\n" in text or not text.strip():
        return False
    return os.path.isfile(text)  # a Path raises for what is too long to be a name


def _file(ready: Prepared, name: str, path: Path) -> dict[str, Any]:
    if path.is_dir():
        ready.folders[name] = folder_body(path)
    else:
        ready.parts.append(Part(name, path.name, file_body(path)))
    return {}


def _own_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """A table that was returned by the API, or the API's own form of an input."""
    if "id" in data and _TABLE_ID.match(str(data["id"])):
        return {"table": data["id"]}
    rows = data.get("rows")
    return {**data, "rows": list(rows_of(rows))} if rows is not None else dict(data)


def _rows(ready: Prepared, name: str, data: Any, kept: ExitStack) -> dict[str, Any]:
    """Return few rows inline; many go as a file, never all in memory."""
    rows, size = rows_of(data), 0
    first: list[Row] = []
    for row in rows:
        first.append(row)
        size += len(line_of(row))
        if size > ready.left:
            body = _lines(chain(first, rows), kept)
            ready.parts.append(Part(name, f"{name}.ndjson", body))
            return {}
    ready.left -= size
    return {"rows": first}


def _spooled(data: Any, kept: ExitStack) -> Body:
    if not is_arrow(data):
        return _lines(rows_of(data), kept)
    file = _temporary(kept)
    importlib.import_module("pyarrow.parquet").write_table(data, file)
    return open_file_body(file, MEDIA_TYPES["parquet"])


def _lines(rows: Iterable[Row], kept: ExitStack) -> Body:
    file = _temporary(kept)
    file.writelines(map(line_of, rows))
    return open_file_body(file, MEDIA_TYPES["ndjson"])


def _temporary(kept: ExitStack) -> IO[bytes]:
    return kept.enter_context(tempfile.TemporaryFile(prefix="apwa-input-"))
