"""Turns `--input tickets.csv` or a folder into a table: named, streamed, never held in memory."""

import re
from dataclasses import dataclass
from pathlib import Path

from apwa_client import bodies as client_bodies
from apwa_client.bodies import FORMATS, Body, file_body
from services.cli.client import ApiClient, Json
from services.cli.exits import CommandError


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
    query["format"] = format_name or FORMATS.get(source.path.suffix.lower())
    return client.upload("/v1/tables", query, file_body(source.path))


def folder_body(folder: Path) -> Body:
    """Return every visible file below a folder as one body, in order of their paths."""
    try:
        return client_bodies.folder_body(folder)
    except ValueError as error:
        raise CommandError(str(error)) from error
