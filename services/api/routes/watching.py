"""Watching a job: its events, as a page or as a stream, and tokens for those who may only look."""

from typing import Any

from flask import Blueprint, Response, request

from services.api import cursors, event_stream, query
from services.api.answers import answer, moment
from services.api.auth import actor, needs, still_valid
from services.api.bodies import optional_json_body
from services.api.event_stream import Watch, events_of
from services.api.idempotency import Given, Remember, once
from services.api.open_streams import Listener
from services.api.problems import Problem, invalid
from services.api.routes.jobs import find_job
from services.api.schemas.control import NewViewTokenSchema
from services.api.schemas.strict import loaded
from services.api.views.jobs import event_object, job_object, stage_object
from services.api.wired import wired
from shared.actions.quotas import most_open_streams
from shared.actions.view_tokens import create_view_token
from shared.database import events, job_feed, jobs, stages
from shared.database.jobs import JobRecord

blueprint = Blueprint("watching", __name__, url_prefix="/v1/jobs/<job_id>")

_CREATED = 201


@blueprint.get("/events")
@needs("jobs:read", or_view_token=True)
def list_events(job_id: str) -> Response:
    """Return the job's events, oldest first: a JSON page, or a stream where that is accepted."""
    given = query.known("limit", "cursor", "token")
    limit, streamed = query.limit(given), _wants_stream()
    job = find_job(job_id)
    if streamed:
        return _stream(job, given)
    scope = f"{actor().project_id} {job.id} events"
    [after] = cursors.read(scope, given["cursor"], int) if "cursor" in given else [0]
    with wired().engine.connect() as connection:
        page = events.page(connection, job.id, after=after, limit=limit + 1)
    more = len(page) > limit
    cursor = cursors.write(scope, [page[limit - 1]["seq"]]) if more else None
    return answer({"items": [event_object(row) for row in page[:limit]], "next_cursor": cursor})


def _wants_stream() -> bool:
    if "Accept" not in request.headers:
        return False
    best = request.accept_mimetypes.best_match(["application/json", event_stream.MEDIA_TYPE])
    if best is None:
        detail = f"Send Accept: application/json, or {event_stream.MEDIA_TYPE}."
        raise Problem(406, "not_acceptable", detail)
    return best == event_stream.MEDIA_TYPE


def _stream(job: JobRecord, given: dict[str, str]) -> Response:
    for name in ("limit", "cursor"):
        if name in given:
            raise invalid(f"/query/{name}", "Pages are for application/json; streams are whole.")
    after, (snapshot, last_no) = event_stream.last_event_id(), _snapshot(job)
    if after > last_no:
        raise invalid("/headers/Last-Event-ID", "This job has no such event yet.")
    if request.method == "HEAD":
        return _headed(Response())
    engine, settings, project_id = wired().engine, wired().settings, actor().project_id

    def job_at_end() -> dict[str, Any] | None:
        with engine.connect() as connection:
            found = jobs.find(connection, job.id, project_id)
            return None if found is None else job_object(connection, found)

    with engine.connect() as connection:
        most = most_open_streams(connection, settings, project_id)
    watch = Watch(
        engine=engine,
        job_id=job.id,
        after=after,
        snapshot=snapshot,
        job_at_end=job_at_end,
        allowed=still_valid(),
        listener=Listener(request.environ),
        streams=wired().streams,
        poll_s=settings.api_stream_poll_s,
        heartbeat_s=settings.api_stream_heartbeat_s,
    )
    place = wired().streams.take(project_id, most)  # from here on nothing can fail
    response = _headed(Response(place.held_while(events_of(watch))))
    response.call_on_close(place.leave)
    return response


def _headed(response: Response) -> Response:
    response.content_type = f"{event_stream.MEDIA_TYPE}; charset=utf-8"
    response.headers["X-Accel-Buffering"] = "no"  # proxies: pass each event on at once
    return response


def _snapshot(job: JobRecord) -> tuple[dict[str, Any], int]:
    """Return how the job stands, and the number of the last entry that is in it for sure."""
    with wired().engine.connect() as connection:
        state = job_feed.state(connection, job.id)
        last_no = state.last_no if state else 0
        found = jobs.find(connection, job.id, job.project_id) or job
        shown = {
            "job": job_object(connection, found),
            "stages": [stage_object(row) for row in stages.progress(connection, job.id)],
            "last_event_id": str(last_no),
        }
    return shown, last_no


@blueprint.post("/view-tokens")
@needs("jobs:write")
def create_token(job_id: str) -> Response:
    """Make a token that shows this one job to whoever has it."""
    query.known()
    query.require_id(job_id, "job", "job")
    raw, document = optional_json_body()
    ttl_s = loaded(NewViewTokenSchema(), document)["ttl_s"]
    return once(raw, lambda remember: _create_token(job_id, ttl_s, remember), sealed="token")


def _create_token(job_id: str, ttl_s: int, remember: Remember) -> Given:
    with wired().engine.begin() as tx:
        made = create_view_token(tx, actor(), job_id, ttl_s)
        location = f"/v1/jobs/{job_id}"
        body = {
            "id": made.id,
            "job": made.job_id,
            "token": made.secret,
            "expires_at": moment(made.expires_at),
            "links": {part: f"{location}{path}" for part, path in _OPENED.items()},
        }
        remember(tx, _CREATED, body, location)
    return Given(_CREATED, body, {"Location": location})


_OPENED = {"job": "", "events": "/events", "results": "/results"}
