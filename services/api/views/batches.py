"""Files, batches and models as the openai package reads them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.api.batches.status import status_of
from shared.database import batches, job_list
from shared.database.batch_files import FileRecord
from shared.database.batches import BatchRecord
from shared.database.engine import Connection
from shared.domain.batch import BatchStatus
from shared.domain.job import FINAL
from shared.domain.wait_reason import job_wait
from shared.llm.endpoints import Endpoints


def file_object(file: FileRecord) -> dict[str, Any]:
    """Return a file."""
    wrong = file.error_count or 0
    told = f"{wrong} of {file.line_count} lines cannot be run; a batch over the file says which."
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.byte_count or 0,
        "created_at": _seconds(file.created_at),
        "expires_at": _seconds(file.expires_at),
        "filename": file.name,
        "purpose": "batch" if file.role == "input" else "batch_output",
        "status": "error" if wrong else "processed",
        "status_details": told if wrong else None,
    }


def batch_objects(connection: Connection, page: Sequence[BatchRecord]) -> list[dict[str, Any]]:
    """Return batches; two queries whatever their number."""
    running = [one.job_id for one in page if one.job_id is not None and one.coverage is None]
    progress = job_list.progress_of(connection, running)
    files = batches.files_of(connection, [one.id for one in page])
    return [
        _batch(one, one.coverage or progress.get(one.job_id or "", {}), files.get(one.id, {}))
        for one in page
    ]


def batch_object(connection: Connection, batch: BatchRecord) -> dict[str, Any]:
    """Return one batch."""
    return batch_objects(connection, [batch])[0]


def model_objects(endpoints: Endpoints) -> list[dict[str, Any]]:
    """Return what a line may ask for: the models, and the names of endpoints and roles."""
    served = {name: endpoints.find(name) for name in endpoints.names()}
    owners = {name: endpoint.name for name, endpoint in served.items() if endpoint is not None}
    owners |= {endpoint.model: endpoint.name for endpoint in endpoints}
    return [
        {"id": name, "object": "model", "created": 0, "owned_by": owner}
        for name, owner in sorted(owners.items())
    ]


def page_object(items: list[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    """Return a page as the package's cursor pages are."""
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": more,
    }


def _batch(batch: BatchRecord, counts: dict[str, Any], files: dict[str, str]) -> dict[str, Any]:
    status = status_of(batch)
    completed, failed = int(counts.get("succeeded", 0)), int(counts.get("failed", 0))
    ended = batch.job_status in FINAL
    without_answer = batch.total - completed if ended else failed
    there = batch.deleted_at is None
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.model,
        "errors": _errors(batch, status),
        "input_file_id": batch.input_file_id,
        "completion_window": batch.completion_window,
        "status": status,
        "output_file_id": files.get("output") if completed and there else None,
        "error_file_id": files.get("errors") if without_answer and there else None,
        **_times(batch, status),
        "request_counts": {"total": batch.total, "completed": completed, "failed": failed},
        "usage": _usage(batch.usage) if ended and batch.usage else None,
        "metadata": batch.metadata or None,
        "apwa": _job(batch),
    }


def _errors(batch: BatchRecord, status: BatchStatus) -> dict[str, Any] | None:
    found = batch.errors
    if found is None and status == "failed":
        error = batch.job_error or {}
        code, told = error.get("code") or "failed", error.get("detail") or "The job failed."
        found = [{"code": code, "line": None, "message": told, "param": None}]
    return None if found is None else {"object": "list", "data": found}


def _times(batch: BatchRecord, status: BatchStatus) -> dict[str, int | None]:
    """Return when it went from one status to the next; there is no time at which it expires."""
    end = batch.finished_at if batch.job_id is not None else batch.created_at
    ended = {
        f"{name}_at": _seconds(end) if status == name else None
        for name in ("completed", "failed", "expired", "cancelled")
    }
    return {
        "created_at": _seconds(batch.created_at) or 0,
        "in_progress_at": _seconds(batch.started_at),
        "expires_at": None,
        "finalizing_at": _seconds(batch.finished_at),
        "cancelling_at": _seconds(batch.cancelling_at),
        **ended,
    }


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    taken, given = int(usage.get("input_tokens", 0)), int(usage.get("output_tokens", 0))
    return {
        "input_tokens": taken,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": given,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": taken + given,
    }


def _job(batch: BatchRecord) -> dict[str, Any] | None:
    if batch.job_id is None or batch.job_status is None:
        return None
    return {
        "job": batch.job_id,
        "status": batch.job_status,
        "status_reason": job_wait(batch.job_status, batch.status_reason, [None]),
        "cost_microusd": (batch.usage or {}).get("cost_microusd"),
    }


def _seconds(value: datetime | None) -> int | None:
    return None if value is None else int(value.timestamp())
