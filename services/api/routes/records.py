"""Records of stream and hybrid jobs: append, end, and look at one or at the stream."""

from typing import Any

from flask import Blueprint, Response

from services.api import query
from services.api.answers import answer
from services.api.auth import actor, needs
from services.api.bodies import no_fields
from services.api.idempotency import Given, Remember, once
from services.api.problems import not_found
from services.api.record_body import RecordBody, record_body
from services.api.routes.jobs import find_job
from services.api.views.jobs import job_object
from services.api.views.records import (
    appended_object,
    record_object,
    stages_of_records,
    stream_object,
)
from services.api.wired import wired
from shared.actions.append_records import Appended, append_records
from shared.actions.end_records import end_records
from shared.database import streams, tables
from shared.database.engine import Connection
from shared.database.jobs import JobRecord
from shared.database.stages import StageRecord
from shared.messages.collect_job import CollectJob

blueprint = Blueprint("records", __name__, url_prefix="/v1/jobs/<job_id>/records")

_ACCEPTED = 202


@blueprint.post("")
@needs("jobs:write")
def append(job_id: str) -> Response:
    """Append records; answers once those that are accepted are stored."""
    _known(job_id)
    with record_body() as body:
        return once(body.fingerprint, lambda remember: _append(job_id, body, remember))


def _append(job_id: str, body: RecordBody, remember: Remember) -> Given:
    told: dict[str, Any] = {}

    def before_commit(connection: Connection, counted: Appended) -> None:
        told.update(appended_object(counted, body.counted_by))
        remember(connection, _ACCEPTED, told, None)

    append_records(
        wired().engine, wired().settings, actor(), job_id, body.records, before_commit
    )  # fmt: skip
    return Given(_ACCEPTED, told, {})


@blueprint.post("/end")
@needs("jobs:write")
def end(job_id: str) -> Response:
    """Say that no more records come; harmless when repeated."""
    _known(job_id)
    return once(no_fields(), lambda remember: _end(job_id, remember))


def _end(job_id: str, remember: Remember) -> Given:
    body: dict[str, Any] = {}

    def before_commit(connection: Connection, job: JobRecord) -> None:
        body.update(job_object(connection, job))
        remember(connection, _ACCEPTED, body, None)

    end_records(wired().engine, actor(), job_id, before_commit)
    wired().ring(CollectJob(job_id))
    return Given(_ACCEPTED, body, {})


@blueprint.get("")
@needs("jobs:read")
def get_stream(job_id: str) -> Response:
    """Return how the stream of a job stands."""
    query.known()
    job = find_job(job_id)
    with wired().engine.connect() as connection:
        stream = streams.of_job(connection, job.id)
        table = tables.find(connection, stream.table_id) if stream else None
        if stream is None or table is None:
            raise not_found("stream")
        stage = _stage_of(stages_of_records(connection, job.id, stream), None)
        return answer(stream_object(connection, stream, table, stage))


@blueprint.get("/<path:key>")
@needs("jobs:read")
def get_record(job_id: str, key: str) -> Response:
    """Return one record by its key, with its outcome and output."""
    given = query.known("stage")
    job = find_job(job_id)
    with wired().engine.connect() as connection:
        stream = streams.of_job(connection, job.id)
        found = None
        if stream is not None and "\0" not in key:
            found = streams.find_record(connection, stream.table_id, key)
        if stream is None or found is None:
            raise not_found("record")
        stage = _stage_of(stages_of_records(connection, job.id, stream), given.get("stage"))
        return answer(record_object(connection, job, key, found, stream, stage))


def _stage_of(over: list[StageRecord], name: str | None) -> StageRecord | None:
    if name is None:
        return over[-1] if over else None
    found = next((stage for stage in over if stage.name == name), None)
    if found is None:
        raise not_found("stage")
    return found


def _known(job_id: str) -> None:
    query.known()
    query.require_id(job_id, "job", "job")
