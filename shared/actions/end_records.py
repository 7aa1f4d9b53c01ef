"""Ends the stream of a job: no more records, so that what waits for the whole table can run."""

from collections.abc import Callable

from shared.actions.actor import Actor
from shared.actions.append_records import require_stream
from shared.actions.own_job import lock_own
from shared.database import audit, jobs, streams
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.jobs import JobRecord


@again_if_rolled_back
def end_records(
    engine: Engine,
    actor: Actor,
    job_id: str,
    before_commit: Callable[[Connection, JobRecord], None],
) -> JobRecord:
    """End the stream, once; ended already, nothing changes. The caller rings the planner.

    The planner puts what is left into shards and seals the table. Raises NotFound, and WrongState
    for a batch job.
    """
    with engine.begin() as tx:
        job = lock_own(tx, actor, job_id)
        require_stream(tx, job)
        if streams.end(tx, job_id, actor=actor.name):
            audit.append(tx, actor.project_id, actor.name, "job.end_records", job_id)
        current = jobs.find(tx, job_id) or job  # its version rose with the event
        before_commit(tx, current)
    return current
