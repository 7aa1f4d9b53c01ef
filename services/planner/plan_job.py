"""Does whatever is due on the planning side of one job: plan it, open its stages, cut them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from services.planner.arrange_stage import arrange_stage
from services.planner.cut_pilot import cut_pilots
from services.planner.cut_stage import cut_stage
from services.planner.engines.endpoint_breakers import EndpointBreakers
from services.planner.lease import PlanningLease
from services.planner.load_inputs import Fetching, load_inputs
from services.planner.missing_members import missing_members
from services.planner.write_plan import write_plan
from shared.database import jobs, stages, streams, tables
from shared.database.engine import Engine, retrying
from shared.database.stages import StageRecord
from shared.domain.ids import new_id
from shared.domain.plan import UnitSpec
from shared.domain.shard import unit_total
from shared.log import get_logger, working_for
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Planner:
    """What the planning side works with; `ring_dispatch` announces new shards of a job.

    Once `stopping` says so, no model is waited for any more.
    """

    engine: Engine
    settings: Settings
    ring_dispatch: Callable[[str], None]
    ring_collect: Callable[[str], None]
    stopping: Callable[[], bool] = lambda: False
    breakers: EndpointBreakers = field(default_factory=EndpointBreakers)


def plan_job(planner: Planner, job_id: str) -> bool:
    """Lease the job and do what its rows say is due; twice at once, the second does nothing.

    True when this call did it to the end.
    """
    settings = planner.settings
    holder = new_id("wrk")  # one per visit: two threads of one process exclude each other too
    job = retrying(
        planner.engine,
        lambda tx: jobs.lease_for_planning(tx, job_id, holder, settings.lease_s),
    )
    if job is None:
        return False
    with (
        working_for(job.request_id, job.traceparent),
        PlanningLease(planner.engine, job_id, holder, settings.lease_s) as lease,
    ):
        fetching = Fetching(
            planner.engine, settings, holder, lambda: lease.lost or planner.stopping()
        )
        if job.status == "planning" and not load_inputs(fetching, job):
            planner.ring_collect(job_id)
            return False
        if job.status == "planning" or job.replan_round is not None:
            get_logger(job_id=job_id).info("planning", round=job.replan_round or 1)
            if not write_plan(
                planner.engine, settings, job, holder, planner.breakers,
                lost=lambda: lease.lost or planner.stopping(),
            ):  # fmt: skip
                planner.ring_collect(job_id)  # a job without a further round can end now
                return False
            get_logger(job_id=job_id).info("planned")
        _open_stages(planner, job_id, lease)
        if cut_pilots(planner.engine, job_id):
            planner.ring_dispatch(job_id)
        else:
            _cut_stages(planner, job_id, lease)
        return not lease.lost


def _open_stages(planner: Planner, job_id: str, lease: PlanningLease) -> None:
    with planner.engine.connect() as connection:
        ready = stages.ready_to_open(connection, job_id)
    for stage in ready:
        if lease.lost:
            return
        _open_stage(planner, stage)


def _open_stage(planner: Planner, stage: StageRecord) -> None:
    if stage.streams:
        over = stage.reads[stage.spec["over"][0]]
        retrying(planner.engine, lambda tx: streams.open_stage(tx, stage, over))
        get_logger(job_id=stage.job_id, stage=stage.name).info("stage_opened")
        planner.ring_collect(stage.job_id)
        return
    source_table_id, units = _units_of(planner, stage)
    missing = missing_members(planner.engine, stage)
    retrying(
        planner.engine,
        lambda tx: stages.open_stage(
            tx, stage.id, source_table_id=source_table_id, unit_count=units, missing=missing
        ),
    )
    get_logger(job_id=stage.job_id, stage=stage.name).info("stage_opened", units=units)
    if units == 0:
        planner.ring_collect(stage.job_id)


def _units_of(planner: Planner, stage: StageRecord) -> tuple[str, int]:
    """Return the table whose rows the units number, and how many units there are."""
    unit = UnitSpec.from_json(stage.spec["unit"])
    over = stage.reads[stage.spec["over"][0]]
    if unit.kind == "group":
        return arrange_stage(planner.engine, planner.settings, stage, over)
    with planner.engine.connect() as connection:
        table = tables.find(connection, over)
    if table is None:
        raise LookupError(f"table {over} of stage {stage.name} is gone")
    return over, unit_total(unit, table.row_count)


def _cut_stages(planner: Planner, job_id: str, lease: PlanningLease) -> None:
    with planner.engine.connect() as connection:
        open_stages = stages.of_job(connection, job_id)
    for stage in open_stages:
        if stage.status == "open" and not stage.fully_cut:
            cut_stage(
                planner.engine, planner.settings, stage,
                after_batch=lambda: planner.ring_dispatch(job_id), lost=lambda: lease.lost,
            )  # fmt: skip
