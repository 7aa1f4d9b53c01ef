"""Makes a batch of a stored file: a job of one stage, or a batch that says what is wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.actions.actor import Actor
from shared.actions.job_request import InputRequest, JobRequest
from shared.actions.refusals import FieldProblem, Invalid, NotFound
from shared.actions.store_file import KEY, MOST_ERRORS
from shared.actions.submit import submit_job
from shared.database import audit, batch_files, batches
from shared.database.batch_files import FileRecord
from shared.database.batches import BatchRecord, NewBatch
from shared.database.engine import Connection, Engine
from shared.database.jobs import JobRecord
from shared.domain.batch import batch_plan
from shared.domain.ids import new_id
from shared.llm.endpoints import Endpoints, endpoints_of
from shared.settings import Settings

_POINTER = "/input_file_id"
BeforeCommit = Callable[[Connection, BatchRecord], None]


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What a client asks with a batch; `policy` has every field of a job's policy."""

    input_file_id: str
    endpoint: str
    completion_window: str
    policy: Mapping[str, Any]
    priority: int
    metadata: dict[str, str] | None = None
    outputs_keep_s: float | None = None
    request_id: str | None = None
    traceparent: str | None = None


def create_batch(
    engine: Engine, settings: Settings, actor: Actor, request: BatchRequest,
    before_commit: BeforeCommit,
) -> BatchRecord:  # fmt: skip
    """Store a batch and return it; the caller rings the planner where it has a job.

    A file with lines that cannot be run, or with a model no endpoint serves, gives a batch that
    failed and says which lines. Raises NotFound for a file that is not there or of another
    project, Invalid for one that a batch made, and what `submit_job` raises.
    """
    with engine.connect() as connection:
        file = batch_files.find(connection, request.input_file_id, actor.project_id)
    if file is None:
        raise _no_file()
    if file.table_id is None:
        told = "This is a file a batch made; name one that was uploaded."
        raise Invalid([FieldProblem(_POINTER, told)])
    errors = _errors(file, endpoints_of(settings))
    batch_id = new_id("bat")
    if errors:
        with engine.begin() as tx:
            return _written(tx, actor, request, file, batch_id, None, errors, before_commit)
    made: list[BatchRecord] = []

    def with_job(tx: Connection, job: JobRecord) -> None:
        made.append(_written(tx, actor, request, file, batch_id, job.id, None, before_commit))

    try:
        submit_job(engine, settings, actor, _job(request, file.table_id), with_job)
    except NotFound as error:  # deleted a moment ago
        raise _no_file() from error
    except Invalid as error:  # of the plan and the input that the client did not write
        wrong = [FieldProblem(_POINTER, item.detail, item.code) for item in error.problems]
        raise Invalid(wrong, error.code, error.detail) from error
    return made[-1]


def _errors(file: FileRecord, endpoints: Endpoints) -> list[dict[str, Any]]:
    """Return what keeps the file from being run, in the order of its lines."""
    found = list(file.errors or [])
    offered = {*endpoints.names(), *(endpoint.model for endpoint in endpoints)}
    for model, (line, count) in (file.models or {}).items():
        if model not in offered:
            others = f" (and {count - 1} more lines)" if count > 1 else ""
            known = ", ".join(sorted(offered)) or "none"
            told = f"Model `{model[:100]}` is not offered{others}; there is {known}."
            found.append(
                {"code": "model_not_found", "line": line, "message": told, "param": "body.model"}
            )
    found.sort(key=lambda error: int(error["line"]))
    if (file.error_count or 0) > MOST_ERRORS:
        told = f"{file.error_count} lines cannot be run; the first {MOST_ERRORS} are listed."
        found.append({"code": "too_many_errors", "line": None, "message": told, "param": None})
    return found


def _job(request: BatchRequest, table_id: str) -> JobRequest:
    return JobRequest(
        goal=None,
        planning="given",
        plan=batch_plan(),
        output=None,
        policy=dict(request.policy),
        priority=request.priority,
        inputs=(InputRequest("requests", key=KEY, table_id=table_id),),
        labels=dict(request.metadata or {}),
        request_id=request.request_id,
        traceparent=request.traceparent,
    )


def _written(
    tx: Connection, actor: Actor, request: BatchRequest, file: FileRecord, batch_id: str,
    job_id: str | None, errors: list[dict[str, Any]] | None, before_commit: BeforeCommit,
) -> BatchRecord:  # fmt: skip
    models = list(file.models or {})
    batches.insert(
        tx,
        NewBatch(
            id=batch_id, project_id=actor.project_id, job_id=job_id,
            input_file_id=file.id, table_id=file.table_id, endpoint=request.endpoint,
            completion_window=request.completion_window,
            model=models[0] if len(models) == 1 else None,
            metadata=(request.metadata or {}) if job_id is None else None,
            errors=errors, total=file.line_count or 0,
        ),
    )  # fmt: skip
    if job_id is not None:
        for role in ("output", "errors"):
            batch_files.insert_made(
                tx, new_id("fil"), actor.project_id, role, batch_id, request.outputs_keep_s
            )
    told = {"file": file.id, "job": job_id}
    audit.append(tx, actor.project_id, actor.name, "batch.create", batch_id, told)
    batch = batches.find(tx, batch_id, actor.project_id)
    if batch is None:
        raise LookupError(f"batch {batch_id} is gone in the transaction that wrote it")
    before_commit(tx, batch)
    return batch


def _no_file() -> NotFound:
    return NotFound("file", [FieldProblem(_POINTER, "There is no such file.")])
