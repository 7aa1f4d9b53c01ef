"""Does whatever is due on the collecting side of one job."""

from collections.abc import Callable
from dataclasses import dataclass

from services.collector.close_stage import close_stage
from services.collector.finalize_job import finalize_job
from services.collector.report_pilot import report_pilot
from services.collector.seal_stage import seal_stage
from shared.actions.finish_early import end_stages
from shared.database import jobs, shards, stages, streams, tables
from shared.database.engine import DBAPIError, Engine, is_transient, retrying
from shared.database.jobs import JobRecord
from shared.database.stages import StageRecord
from shared.domain.stream import CUT_SHORT
from shared.log import get_logger, working_for
from shared.settings import Settings
from shared.tables.stream_table import cut_short, finish_stream

_LEDGER_ERRORS = {"AP001", "23514"}  # our recount, and the check that the ledger adds up


@dataclass(frozen=True, slots=True)
class Collector:
    """What the collecting side works with; `ring_planner` says that something may be next.

    `ring_notifier` says that an event was made.
    """

    engine: Engine
    settings: Settings
    ring_planner: Callable[[str], None]
    ring_notifier: Callable[[str], None] = lambda _: None


def collect_job(collector: Collector, job_id: str) -> None:
    """Note finished shards, seal and close finished stages, finalise; harmless when repeated."""
    job = _begin(collector, job_id)
    if _finish_stream(collector, job_id, job):
        collector.ring_planner(job_id)
        job = job and _begin(collector, job_id)
    if job is not None:
        with working_for(job.request_id, job.traceparent):
            _collect(collector, job_id)


def _collect(collector: Collector, job_id: str) -> None:
    engine = collector.engine
    if retrying(engine, lambda tx: report_pilot(tx, job_id)) == "running":
        collector.ring_planner(job_id)
    for stage in _lease_sealing(collector, job_id):
        _seal_and_close(collector, stage)
    done = retrying(engine, lambda tx: finalize_job(tx, job_id))
    if done is not None:
        get_logger(job_id=job_id).info(f"job_{done}")
        collector.ring_notifier(job_id)
    if done == "replanning":
        collector.ring_planner(job_id)


def _finish_stream(collector: Collector, job_id: str, job: JobRecord | None) -> bool:
    """Seal the stream of the job, once; a job that has been told to end does not wait for its rest.

    Nothing more of it would be run: what cannot be cut is in the ledger with what was not begun.
    """
    try:
        return finish_stream(collector.engine, job_id, collector.settings.chunk_bytes)
    except Exception as error:
        goes_on = job is not None and job.status != "finalizing"
        if goes_on or is_transient(error):
            raise
        get_logger(job_id=job_id).error(
            CUT_SHORT, error=type(error).__name__, detail=str(error)[:500], exc_info=True
        )
        said = getattr(error, "orig", error)  # a database error without its statement and values
        return cut_short(collector.engine, job_id, f"{type(error).__name__}: {said}")


def _begin(collector: Collector, job_id: str) -> JobRecord | None:
    """Look at the job under its lock and return it; None when there is nothing left to do."""
    with collector.engine.begin() as tx:
        job = jobs.lock(tx, job_id)
        if job is None or job.finished_at is not None:
            return None
        if job.status == "finalizing":
            streams.end(tx, job_id, actor="collector")
        if job.status == "finalizing" and job.finish_as is None:
            end_stages(tx, job, collector.settings.finish_settle_s)
        if job.status in {"running", "finalizing"} and job.finish_as is None:
            shards.settle_ended(tx, job_id)
            stages.begin_sealing(tx, job_id)
        shards.note_done(tx, job_id)  # after it: a shard done just now is in the order too
    return job


def _lease_sealing(collector: Collector, job_id: str) -> list[StageRecord]:
    with collector.engine.begin() as tx:
        return stages.lease_sealing(tx, job_id, collector.settings.lease_s)


def _seal_and_close(collector: Collector, stage: StageRecord) -> None:
    engine, log = collector.engine, get_logger(job_id=stage.job_id, stage=stage.name)
    sealed = seal_stage(engine, collector.settings, stage)
    try:
        status = retrying(engine, lambda tx: close_stage(tx, stage, sealed))
    except DBAPIError as error:
        if is_transient(error) or getattr(error.orig, "sqlstate", None) not in _LEDGER_ERRORS:
            raise
        detail = str(error.orig).splitlines()[0]
        log.error("ledger_mismatch", detail=detail)
        reason = {"kind": "ledger_mismatch", "stage": stage.name, "detail": detail}
        with engine.begin() as tx:
            jobs.explain_wait(tx, stage.job_id, reason)
            stages.explain_wait(tx, stage.id, reason)
            tables.drop_chunks(tx, stage.output_table_id)  # they may lack what was missing
        return
    if status:
        log.info(f"stage_{status}")
        collector.ring_planner(stage.job_id)
