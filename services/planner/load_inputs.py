"""Fetches what a job names by address, before the job is planned; or ends the job."""

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from services.planner.fail_job import fail_job
from shared.actions import quotas
from shared.actions.actor import Actor
from shared.actions.fetch_input import NotFetched, Web, fetch_input
from shared.actions.job_request import InputAddress, UploadedFile
from shared.actions.load_table import Loading, Staged, seal, stage_file, staging
from shared.actions.refusals import Refusal
from shared.contracts.findings import json_pointer
from shared.database import audit, awaited_inputs, jobs
from shared.database.awaited_inputs import AwaitedInput
from shared.database.engine import Connection, Engine, retrying
from shared.database.jobs import JobRecord
from shared.log import get_logger
from shared.settings import Settings

_PAUSES_S = (1.0, 5.0)  # between the tries of one input
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Fetching:
    """What fetching works with; `lost` says that the job is no longer ours, or that we stop."""

    engine: Engine
    settings: Settings
    planner_id: str
    lost: Callable[[], bool] = lambda: False
    web: Web | None = None
    pauses_s: tuple[float, ...] = _PAUSES_S


def load_inputs(fetching: Fetching, job: JobRecord) -> bool:
    """Load every input that is still to come; True when all of them are there.

    One that cannot be had or read ends the job as failed, with the code and the place. False also
    when the job is no longer ours: whoever has it goes on with what has not arrived.
    """
    with fetching.engine.connect() as connection:
        awaited = awaited_inputs.of_job(connection, job.id)
    for item in awaited:
        reason = {"kind": "input", "input": item.name}
        retrying(fetching.engine, partial(jobs.explain_wait, job_id=job.id, reason=reason))
        try:
            _load(fetching, job, item)
        except _NoLongerOursError:
            return False
        except (NotFetched, Refusal) as error:
            _fail(fetching, job, item, error)
            return False
    if awaited:
        retrying(fetching.engine, partial(jobs.explain_wait, job_id=job.id, reason=None))
    return True


class _NoLongerOursError(Exception):
    """The job stopped, went to another planner, or we are to stop."""


def _load(fetching: Fetching, job: JobRecord, item: AwaitedInput) -> None:
    actor = Actor(job.project_id, job.key_id, frozenset())
    loading = Loading(fetching.engine, fetching.settings, actor, job.id)
    pointer = json_pointer("inputs", item.name, "key")
    with tempfile.TemporaryDirectory(prefix="apwa-input-") as folder:
        file = _fetched(fetching, item, Path(folder))
        with staging(fetching.engine) as table_ids:
            staged = stage_file(
                loading, table_ids, file, name=item.name, key=item.key, key_pointer=pointer
            )
            with fetching.engine.begin() as tx:
                _arrive(tx, fetching, job, item, staged)
    get_logger(job_id=job.id, input=item.name).info("input_loaded", rows=staged.row_count)


def _fetched(fetching: Fetching, item: AwaitedInput, folder: Path) -> UploadedFile:
    """Return the file; what may pass is tried again a few times."""
    address = InputAddress(item.url, item.format, item.sheet)
    for pause_s in (*fetching.pauses_s, None):
        try:
            return fetch_input(fetching.settings, address, folder, fetching.lost, fetching.web)
        except NotFetched as error:
            if fetching.lost():
                raise _NoLongerOursError from error
            if not error.transient or pause_s is None:
                raise
        _pause(fetching, pause_s)
    raise AssertionError("the last try returns or raises")


def _pause(fetching: Fetching, pause_s: float) -> None:
    until, never = time.monotonic() + pause_s, threading.Event()
    while (left := until - time.monotonic()) > 0:
        if fetching.lost():
            raise _NoLongerOursError
        never.wait(min(_LOOK_S, left))


def _arrive(
    tx: Connection, fetching: Fetching, job: JobRecord, item: AwaitedInput, staged: Staged
) -> None:
    """Make what was staged the input, if the job is still ours and its project has the room."""
    if not _is_ours(tx, fetching, job):
        raise _NoLongerOursError
    source = item.url.partition("?")[0]  # what follows may be a signature
    table = seal(tx, replace(staged, report={**staged.report, "source": source}))
    awaited_inputs.arrive(tx, job.id, item, table.id)
    told = {"rows": table.row_count, "format": staged.report["format"], "job": job.id}
    audit.append(tx, job.project_id, "planner", "table.create", table.id, told)
    inputs = [one.table_id for one in jobs.inputs(tx, job.id)]
    quotas.admit_input(tx, fetching.settings, job.project_id, inputs)


def _is_ours(tx: Connection, fetching: Fetching, job: JobRecord) -> bool:
    if jobs.lock(tx, job.id) is None:
        return False
    return jobs.extend_planning(tx, job.id, fetching.planner_id, fetching.settings.lease_s)


def _fail(
    fetching: Fetching, job: JobRecord, item: AwaitedInput, error: NotFetched | Refusal
) -> None:
    told = {
        "code": error.code,
        "detail": f"Input {item.name}: {error.detail}",
        "pointer": json_pointer("inputs", item.name),
    }
    with fetching.engine.begin() as tx:
        if _is_ours(tx, fetching, job):
            fail_job(tx, job.id, told)
