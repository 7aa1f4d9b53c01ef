"""Reports a pilot that is over, and says yes to the plan where the report is good enough."""

from shared.database import events, job_control, jobs, pilots, plans, stages
from shared.database.engine import Connection
from shared.database.jobs import JobRecord
from shared.domain.approval import high_of
from shared.domain.pilot_report import PilotedStage, good_enough, report_of


def report_pilot(tx: Connection, job_id: str) -> str | None:
    """piloting -> awaiting_approval with a report, or on to running; return the new status.

    None when the job is not piloting or units of its pilot still run. Whoever rings and however
    often, it is reported once: the look and the change are under the job's row lock.
    """
    job = jobs.lock(tx, job_id)
    if job is None or job.status != "piloting" or not pilots.is_over(tx, job_id):
        return None
    plan = plans.find(tx, job_id)
    if plan is None or job.pilot is None:
        raise LookupError(f"job {job_id} is piloting without a plan")
    prices = {one["name"]: one["cost_microusd"]["expected"] for one in plan.price["stages"]}
    report = report_of(
        [
            PilotedStage(
                stage.name, stage.unit_count, int(prices.get(stage.name, 0)),
                **(pilots.outcome(tx, stage.id) if stage.pilot_units else {}),
            )
            for stage in stages.of_job(tx, job_id)
        ]
    )  # fmt: skip
    pilots.note_report(tx, job_id, report)
    told = {name: value for name, value in report.items() if name != "stages"}
    events.append(tx, job_id, "job.pilot_reported", actor="collector", data=told)
    job_control.ask_approval(tx, job_id, plan.version, plan.hash)
    if not good_enough(report, job.pilot.get("auto_approve")):
        return "awaiting_approval"
    return _approve(tx, job, plan.version, plan.hash, high_of(plan.price))


def _approve(tx: Connection, job: JobRecord, version: int, hash_: str, high: int) -> str:
    yes = {"version": version, "hash": hash_, "by": "pilot", "high_microusd": high}
    job_control.approve(tx, job.id, [hash_], yes)
    data = {"version": version, "hash": hash_}
    events.append(tx, job.id, "job.approved", actor="pilot", data=data)
    events.append(tx, job.id, "job.started", actor="pilot", data={})
    return "running"
