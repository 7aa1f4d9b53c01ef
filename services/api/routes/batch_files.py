"""Files of the OpenAI-compatible interface: upload, list, look at, read, delete."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response

from services.api import query
from services.api.answers import answer
from services.api.auth import actor, needs
from services.api.batches.file_form import FileForm, file_form
from services.api.batches.lines import error_lines, output_lines
from services.api.idempotency import Given, Remember, once
from services.api.long_answer import begun, of_kept_job
from services.api.problems import invalid, missing_scope, not_found
from services.api.views.batches import file_object, page_object
from services.api.wired import wired
from shared.actions.delete_file import delete_file
from shared.actions.load_table import Loading
from shared.actions.store_file import store_file
from shared.database import batch_files, batches, tables
from shared.database.batch_files import FileRecord
from shared.database.engine import Connection
from shared.domain.ids import is_id
from shared.tables.batch_file import file_bytes

blueprint = Blueprint("batch_files", __name__, url_prefix="/openai/v1/files")

LONGEST_PAGE = 10_000
_CREATED = 201
_DAY_S = 86_400.0
_ROLES = {"batch": ("input",), "batch_output": ("output", "errors")}
_JSONL = "application/jsonl"


@blueprint.post("")
@needs("tables:write")
def create_file() -> Response:
    """Upload a file of request lines."""
    query.known()
    with file_form() as form:
        return once(form.fingerprint, lambda remember: _create(form, remember))


def _create(form: FileForm, remember: Remember) -> Given:
    body: dict[str, Any] = {}
    headers: dict[str, str] = {}
    settings = wired().settings
    keep_s = form.keep_s or settings.keep_jobs_days * _DAY_S or None

    def before_commit(connection: Connection, file: FileRecord) -> None:
        body.update(file_object(file))
        headers["Location"] = f"{blueprint.url_prefix}/{file.id}"
        remember(connection, _CREATED, body, headers["Location"])

    loading = Loading(wired().engine, settings, actor())
    store_file(loading, form.file, keep_s=keep_s, before_commit=before_commit)
    return Given(_CREATED, body, headers)


@blueprint.get("")
@needs("tables:read")
def list_files() -> Response:
    """List the project's files; those of batches once these have ended."""
    given = query.known("after", "limit", "order", "purpose")
    limit = query.whole_number(given, "limit", LONGEST_PAGE, 1, LONGEST_PAGE)
    purpose = query.choice(given, "purpose", _ROLES)
    order = query.choice(given, "order", ("asc", "desc")) or "desc"
    roles = [role for name in _ROLES if purpose in (None, name) for role in _ROLES[name]]
    if not actor().may("jobs:read"):
        roles = [role for role in roles if role == "input"]
    with wired().engine.connect() as connection:
        page = batch_files.page(
            connection, actor().project_id, roles=roles, after=after_id(given, "fil"),
            descending=order == "desc", limit=limit + 1,
        )  # fmt: skip
    items = [file_object(file) for file in page[:limit]]
    return answer(page_object(items, more=len(page) > limit))


@blueprint.get("/<file_id>")
@needs("tables:read")
def get_file(file_id: str) -> Response:
    """Return what is known of a file."""
    query.known()
    file = _find(file_id)
    shown = file_object(file)
    if file.ended and file.byte_count is None:
        shown["bytes"] = _counted(file)
    return answer(shown)


@blueprint.get("/<file_id>/content")
@needs("tables:read")
def get_content(file_id: str) -> Response:
    """Return the file itself; of a batch that runs, what is there by now."""
    query.known()
    file = _find(file_id)
    response = Response(begun(_pieces(file)), content_type=_JSONL)
    response.headers["Content-Disposition"] = f'attachment; filename="{file.id}.jsonl"'
    if file.role == "input" and file.byte_count is not None:
        response.content_length = file.byte_count
    return response


@blueprint.delete("/<file_id>")
@needs("tables:write")
def remove_file(file_id: str) -> Response:
    """Delete a file that no batch under way uses."""
    query.known()
    file = _find(file_id)
    if file.role != "input" and not actor().may("jobs:write"):
        raise missing_scope("jobs:write")
    delete_file(wired().engine, actor(), file_id)
    return answer({"id": file_id, "object": "file", "deleted": True})


def after_id(given: dict[str, str], prefix: str) -> str | None:
    """Return the id behind which a page begins; 422 for what is no id of the list."""
    after = given.get("after")
    if after is not None and not is_id(after, prefix):
        raise invalid("/query/after", f"Give the id of an item of this list ({prefix}_...).")
    return after


def _find(file_id: str) -> FileRecord:
    """Return the file, or 404; what a batch made is part of its job, so it needs jobs:read."""
    query.require_id(file_id, "fil", "file")
    with wired().engine.connect() as connection:
        file = batch_files.find(connection, file_id, actor().project_id)
    if file is None:
        raise not_found("file")
    if file.role != "input" and not actor().may("jobs:read"):
        raise missing_scope("jobs:read")
    return file


def _pieces(file: FileRecord) -> Iterator[bytes]:
    engine = wired().engine
    with engine.connect() as connection:
        if file.batch_id is None:
            table = tables.find(connection, file.table_id or "")
            return file_bytes(engine, table) if table else iter(())
        batch = batches.find(connection, file.batch_id, file.project_id)
    if batch is None:
        raise not_found("file")
    lines = output_lines(engine, batch) if file.role == "output" else error_lines(engine, batch)
    if batch.job_id is None:
        return lines
    return of_kept_job(engine, batch.project_id, batch.job_id, lines)


def _counted(file: FileRecord) -> int:
    """Count the bytes of a file that changes no more, once."""
    count = sum(map(len, _pieces(file)))
    with wired().engine.begin() as connection:
        batch_files.note_bytes(connection, file.id, count)
    return count
