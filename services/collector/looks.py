"""What the collector looks for now and then; a step that raises keeps no later one from running."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from services.collector.after_outage import AfterOutage
from services.collector.collect_job import Collector
from services.collector.deadlines import finish_overdue
from services.collector.erase_deleted import erase_deleted, look_again
from services.collector.erase_files import erase_files, expire_files
from services.collector.next_day import resume_next_day
from services.collector.rescue import book_lost_slices, rescue_expired
from services.collector.retain import retain
from services.collector.stragglers import mark_stragglers
from services.collector.sweep import sweep
from shared.broker.tried import tried
from shared.database.engine import Engine, SQLAlchemyError
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Bells:
    """Whom to tell that a job has something due: collector, dispatcher, planner."""

    collect: Callable[[str], None]
    dispatch: Callable[[str], None]
    plan: Callable[[str], None]


def look_for_lost(collector: Collector, outage: AfterOutage, bells: Bells) -> None:
    """Rescue first; then deadlines, pauses that are over, slow shards, and lost spend."""
    engine, settle_s = collector.engine, collector.settings.finish_settle_s
    for job_id in tried("rescue", partial(_rescue, engine, outage)) or ():
        bells.dispatch(job_id)
        bells.collect(job_id)
    for job_id in tried("rescue", partial(finish_overdue, engine, settle_s)) or ():
        bells.collect(job_id)
    for job_id in tried("rescue", partial(resume_next_day, engine)) or ():
        bells.plan(job_id)
        bells.dispatch(job_id)
        bells.collect(job_id)
    tried("rescue", partial(mark_stragglers, engine))
    if outage.is_over:
        tried("rescue", partial(book_lost_slices, engine))


def sweep_hourly(engine: Engine, settings: Settings) -> None:
    """Clear what nobody comes back for and what is past its time."""
    for step in (sweep, look_again, expire_files, partial(retain, settings=settings)):
        tried("sweep", partial(step, engine))


def erase(engine: Engine) -> None:
    """Erase what deleted jobs and files leave."""
    for step in (erase_deleted, erase_files):
        tried("erase", partial(step, engine))


def _rescue(engine: Engine, outage: AfterOutage) -> set[str]:
    try:
        return rescue_expired(engine, outage.note_answer)
    except SQLAlchemyError:
        outage.note_failure()
        raise
