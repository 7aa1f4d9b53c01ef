"""How a page mark is written: opaque, and bound to one list of one project and to one order."""

import base64
import hashlib
from collections.abc import Iterable

import orjson

MARK_BYTES = 12


def write(scope: str, position: list[int | str]) -> str:
    """Return the cursor of a position; `scope` names project, list, filters and order."""
    body = orjson.dumps(position)
    return base64.urlsafe_b64encode(mark(scope, body) + body).rstrip(b"=").decode()


def mark(scope: str, body: bytes) -> bytes:
    """Return what tells a cursor of this scope from mistakes; it guards nothing."""
    return hashlib.blake2b(
        scope.encode() + b"\0" + body, digest_size=MARK_BYTES, person=b"apwa cursor"
    ).digest()


def results_scope(
    project_id: str, job_id: str, stage: str | None, outcome: str, include: Iterable[str] = ()
) -> str:
    """Return the scope of cursors of GET /v1/jobs/{id}/results; `stage` None: the result's."""
    included = ",".join(sorted(include))
    return f"{project_id} {job_id} results {stage} {outcome} {included}"


def noted_cursor(project_id: str, job_id: str, stage: str, outcome: str, noted_no: int) -> str:
    """Return the cursor whose first row is the first of the shard noted as `noted_no`."""
    return write(results_scope(project_id, job_id, stage, outcome), ["noted", noted_no, 0, 0])
