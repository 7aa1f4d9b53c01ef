"""What hangs below a job: plan, stages, subtasks, failures."""

from flask import Blueprint, Response

from services.api import cursors, query
from services.api.answers import answer, answer_with_etag
from services.api.auth import actor, needs
from services.api.problems import not_found
from services.api.routes.jobs import find_job
from services.api.views.failures import failure_object
from services.api.views.jobs import plan_object, stage_object, subtask_object
from services.api.wired import wired
from shared.database import plans, result_pages, stages
from shared.database.result_pages import GOOD, NOT_GOOD, SettledUnit
from shared.database.stages import StageRecord

blueprint = Blueprint("job_parts", __name__, url_prefix="/v1/jobs/<job_id>")

_OUTCOMES = (*GOOD, *NOT_GOOD)
_FAILURES_LOOKED_AT = 10_000


@blueprint.get("/plan")
@needs("jobs:read")
def get_plan(job_id: str) -> Response:
    """Return the plan in force, or the one of `?version=`."""
    given = query.known("version")
    version = query.whole_number(given, "version", 0, 1, 1_000_000) or None
    job = find_job(job_id)
    with wired().engine.connect() as connection:
        plan = plans.find(connection, job.id, version)
    if plan is None:
        raise not_found("plan")
    return answer_with_etag(plan_object(plan), tag=plan.hash)


@blueprint.get("/stages")
@needs("jobs:read")
def list_stages(job_id: str) -> Response:
    """List all stages in plan order."""
    query.known()
    job = find_job(job_id)
    with wired().engine.connect() as connection:
        items = [stage_object(row) for row in stages.progress(connection, job.id)]
    return answer({"items": items, "next_cursor": None})


@blueprint.get("/subtasks")
@needs("jobs:read")
def list_subtasks(job_id: str) -> Response:
    """List settled subtasks by stage and unit."""
    given = query.known("stage", "outcome", "limit", "cursor")
    limit, outcome = query.limit(given), query.choice(given, "outcome", _OUTCOMES)
    job = find_job(job_id)
    scope = f"{actor().project_id} {job.id} subtasks {given.get('stage')} {outcome}"
    no, unit = cursors.read(scope, given["cursor"], int, int) if "cursor" in given else (0, 0)
    with wired().engine.connect() as connection:
        found = stages.of_job(connection, job.id)
        chosen = [stage for stage in found if given.get("stage") in (None, stage.name)]
        if "stage" in given and not chosen:
            raise not_found("stage")
        page: list[tuple[StageRecord, SettledUnit]] = []
        for stage in chosen:
            if stage.no < no or len(page) > limit:
                continue
            units = result_pages.endings_of_stage(
                connection, stage.id, unit if stage.no == no else 0,
                [outcome] if outcome else _OUTCOMES, limit=limit + 1 - len(page),
            )  # fmt: skip
            page += [(stage, settled) for settled in units]
        tried = {
            stage.id: result_pages.attempts_of_units(
                connection, stage.id, [settled.unit for at, settled in page if at.id == stage.id]
            )
            for stage in {one.id: one for one, _ in page}.values()
        }
    items = [
        subtask_object(stage.name, settled, tried[stage.id].get(settled.unit, []))
        for stage, settled in page[:limit]
    ]
    after = [page[limit][0].no, page[limit][1].unit] if len(page) > limit else None
    return answer(
        {"items": items, "next_cursor": cursors.write(scope, list(after)) if after else None}
    )


@blueprint.get("/failures")
@needs("jobs:read")
def list_failures(job_id: str) -> Response:
    """List failed units in clusters, largest first; of a running job from a bounded look."""
    query.known()
    job = find_job(job_id)
    items = job.failures
    if items is None:
        with wired().engine.connect() as connection:
            items = [
                cluster
                for stage in stages.of_job(connection, job.id)
                for cluster in result_pages.failure_clusters(
                    connection, stage.id, stage.name, looked_at=_FAILURES_LOOKED_AT
                )
            ]
    return answer({"items": [failure_object(item) for item in items], "next_cursor": None})
