"""Tables: upload, list, look at, read, erase."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request

from services.api import cursors, query
from services.api.answers import answer, answer_with_etag
from services.api.auth import actor, needs
from services.api.bodies import require_identity_coding
from services.api.formats import stream, wanted_format
from services.api.idempotency import Given, Remember, once
from services.api.problems import Problem, invalid, not_found
from services.api.uploads import MULTIPART, multipart, raw_file
from services.api.views.tables import table_object
from services.api.wired import wired
from shared.actions.erase_table import erase_table
from shared.actions.job_request import UploadedFile
from shared.actions.load_table import Loading, load_table
from shared.contracts.json_values import value_findings
from shared.database import tables
from shared.database.engine import Connection, Engine
from shared.database.tables import TableRecord
from shared.tables.media_types import DOCUMENT_FORMATS, FORMAT_OF_MEDIA_TYPE, GIVEN_FORMATS
from shared.tables.store import read_range, rows_of, visible

blueprint = Blueprint("tables", __name__, url_prefix="/v1/tables")

_CREATED = 201
_LONGEST_NAME = 200
_ROWS_AT_ONCE = 1_000


@blueprint.post("")
@needs("tables:write")
def create_table() -> Response:
    """Upload a table: a file as the body, or files as parts (several: one row per document)."""
    given = query.known("name", "format", "sheet", "key")
    format_ = query.choice(given, "format", GIVEN_FORMATS)
    name, key = _text(given, "name"), _text(given, "key")
    with _uploaded(name, format_, _text(given, "sheet")) as (files, fingerprint):
        return once(
            fingerprint, lambda remember: _create(files, name or files[0].name, key, remember)
        )


def _text(given: dict[str, str], name: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if not value.strip() or len(value) > _LONGEST_NAME or value_findings(value):
        raise invalid(f"/query/{name}", f"Give 1 to {_LONGEST_NAME} characters.")
    return value


@contextmanager
def _uploaded(
    name: str | None, format_: str | None, sheet: str | None
) -> Iterator[tuple[list[UploadedFile], bytes]]:
    if request.mimetype == MULTIPART:
        with multipart() as parts:
            files = [
                replace(file, format=format_, sheet=sheet)
                for sent in parts.files.values()
                for file in sent
            ]
            if not files:
                raise invalid("/file", "Send at least one file.")
            if len(files) > 1 and format_ not in (None, *DOCUMENT_FORMATS):
                known = ", ".join(DOCUMENT_FORMATS)
                raise invalid("/query/format", f"Several files are documents or images: {known}.")
            if len(files) > 1 and sheet is not None:
                raise invalid("/query/sheet", "Name the sheet of one workbook, not of several.")
            yield files, parts.fingerprint
        return
    require_identity_coding()
    if request.mimetype not in FORMAT_OF_MEDIA_TYPE:
        known = ", ".join([*FORMAT_OF_MEDIA_TYPE, MULTIPART])
        raise Problem(415, "unsupported_media_type", f"Send Content-Type: one of {known}.")
    told = format_ or FORMAT_OF_MEDIA_TYPE[request.mimetype]
    with raw_file(name or "upload", told) as (file, fingerprint):
        yield [replace(file, sheet=sheet)], fingerprint


def _create(files: list[UploadedFile], name: str, key: str | None, remember: Remember) -> Given:
    body: dict[str, Any] = {}

    def before_commit(connection: Connection, table: TableRecord) -> None:
        body.update(table_object(table))
        remember(connection, _CREATED, body, body["links"]["self"])

    loading = Loading(wired().engine, wired().settings, actor())
    load_table(loading, files, name=name[:_LONGEST_NAME], key=key, before_commit=before_commit)
    return Given(_CREATED, body, {"Location": body["links"]["self"]})


@blueprint.get("")
@needs("tables:read")
def list_tables() -> Response:
    """List the project's input tables, newest first."""
    given = query.known("limit", "cursor")
    limit, scope = query.limit(given), f"{actor().project_id} tables"
    before = None
    if "cursor" in given:
        [before] = cursors.read(scope, given["cursor"], str)
    with wired().engine.connect() as connection:
        page = tables.list_inputs(connection, actor().project_id, before=before, limit=limit + 1)
    cursor = cursors.write(scope, [page[limit - 1].id]) if len(page) > limit else None
    items = [table_object(table, brief=True) for table in page[:limit]]
    return answer({"items": items, "next_cursor": cursor})


@blueprint.get("/<table_id>")
@needs("tables:read")
def get_table(table_id: str) -> Response:
    """Return one table's schema, counts, statistics and sample."""
    query.known()
    return answer_with_etag(table_object(_find(table_id)))


@blueprint.get("/<table_id>/rows")
@needs("tables:read")
def get_rows(table_id: str) -> Response:
    """Return the rows of a sealed table, as a page or as a stream."""
    given = query.known("format", "limit", "cursor")
    format_, limit = wanted_format(given), query.limit(given)
    table = _find(table_id)
    if table.status != "sealed":
        raise Problem(409, "wrong_state", f"The table is {table.status}; it has no rows to read.")
    if format_ != "json":
        return stream(_all_rows(wired().engine, table), table.columns, format_, table.id)
    scope = f"{actor().project_id} {table.id} rows"
    [first] = cursors.read(scope, given["cursor"], int) if "cursor" in given else [0]
    items = _rows(table, first, limit)
    after = first + len(items)
    cursor = cursors.write(scope, [after]) if items and after < table.row_count else None
    return answer({"items": items, "next_cursor": cursor})


@blueprint.delete("/<table_id>")
@needs("tables:write")
def delete_table(table_id: str) -> Response:
    """Erase an uploaded table that no running job uses."""
    query.known()
    query.require_id(table_id, "tbl", "table")
    erase_table(wired().engine, actor(), table_id)
    return Response(status=204)


def _find(table_id: str) -> TableRecord:
    query.require_id(table_id, "tbl", "table")
    with wired().engine.connect() as connection:
        table = tables.find(connection, table_id, actor().project_id)
    if table is None or table.status == "erased":
        raise not_found("table")
    return table


def _rows(table: TableRecord, first: int, count: int) -> list[dict[str, Any]]:
    with wired().engine.connect() as connection:
        found = read_range(connection, table, first, count)
    return rows_of(visible(found.rows, table.columns))


def _all_rows(engine: Engine, table: TableRecord) -> Iterator[dict[str, Any]]:
    for first in range(0, table.row_count, _ROWS_AT_ONCE):
        with engine.connect() as connection:
            found = read_range(connection, table, first, _ROWS_AT_ONCE)
        yield from rows_of(visible(found.rows, table.columns))
