"""The rows of a stage, as a page or as a stream."""

from dataclasses import astuple

from flask import Blueprint, Response

from services.api import cursors, query
from services.api.answers import answer
from services.api.auth import actor, needs
from services.api.formats import stream, wanted_format
from services.api.long_answer import of_kept_job
from services.api.problems import invalid
from services.api.results.choice import OUTCOMES, Chosen, Wanted, choose
from services.api.results.reading import Position, page_of, rows_from
from services.api.routes.jobs import find_job
from services.api.wired import wired
from shared.contracts.cursors import results_scope
from shared.database.jobs import JobRecord

blueprint = Blueprint("results", __name__, url_prefix="/v1/jobs/<job_id>")

_INCLUDE = ("lineage", "input")


@blueprint.get("/results")
@needs("jobs:read", or_view_token=True)
def get_results(job_id: str) -> Response:
    """Return the rows of the result, or of any stage; while it runs, those that are there."""
    given = query.known("stage", "outcome", "include", "format", "limit", "cursor", "token")
    format_, limit, wanted = wanted_format(given), query.limit(given), _wanted(given)
    job = find_job(job_id)
    with wired().engine.connect() as connection:
        chosen = choose(connection, job, wanted)
    if format_ == "json":
        return _page(job, chosen, given.get("cursor"), limit)
    found = rows_from(wired().engine, chosen, Position(chosen.order))
    rows = (row for row, _ in of_kept_job(wired().engine, job.project_id, job.id, found))
    name = chosen.stage.name if chosen.stage else "results"
    return stream(rows, chosen.columns, format_, f"{job.id}-{name}")


def _wanted(given: dict[str, str]) -> Wanted:
    include = [name for name in given.get("include", "").split(",") if name]
    if unknown := [name for name in include if name not in _INCLUDE]:
        shown = unknown[0][:100]
        raise invalid("/query/include", f"`{shown}` is not one of {', '.join(_INCLUDE)}.")
    outcome = query.choice(given, "outcome", OUTCOMES) or "succeeded"
    return Wanted(given.get("stage"), outcome, frozenset(include))


def _page(job: JobRecord, chosen: Chosen, cursor: str | None, limit: int) -> Response:
    wanted = chosen.wanted
    scope = results_scope(actor().project_id, job.id, wanted.stage, wanted.outcome, wanted.include)
    start = Position(chosen.order)
    if cursor is not None:
        order, *numbers = cursors.read(scope, cursor, str, int, int, int)
        start = Position(order, *numbers)
    page = page_of(wired().engine, chosen, start, limit)
    after = cursors.write(scope, list(astuple(page.after)))
    body = {"items": page.rows, "next_cursor": after if page.more else None}
    return answer({**body, "resume_cursor": None if page.ended else after})
