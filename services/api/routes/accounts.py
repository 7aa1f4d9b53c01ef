"""What was used, and who did what."""

from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response

from services.api import cursors, query
from services.api.answers import answer
from services.api.auth import actor, needs
from services.api.operator import project_looked_at
from services.api.problems import invalid
from services.api.views.service import audit_object, usage_object
from services.api.wired import wired
from shared.database import audit, usage_hours
from shared.database.audit import AuditFilter
from shared.database.usage_hours import Asked

blueprint = Blueprint("accounts", __name__, url_prefix="/v1")

GROUPINGS = ("project", "key", "model", "capability", "day")
_LABEL = "label."
_HOUR = timedelta(hours=1)


@blueprint.get("/usage")
@needs("jobs:read")
def get_usage() -> Response:
    """Return what was used, in groups."""
    given = query.known("group_by", "from", "to", "project", "limit", "cursor")
    limit, asked = query.limit(given), _asked(given)
    scope = f"{actor().project_id} usage {asked}"
    after = None
    if "cursor" in given:
        nothing, name = cursors.read(scope, given["cursor"], int, str)
        after = (bool(nothing), name)
    with wired().engine.connect() as connection:
        page = usage_hours.page(connection, asked, after=after, limit=limit + 1)
    cursor = None
    if len(page) > limit:
        last = page[limit - 1]["grp"]
        cursor = cursors.write(scope, [int(last is None), last or ""])
    return answer({"items": [usage_object(row) for row in page[:limit]], "next_cursor": cursor})


def _asked(given: dict[str, str]) -> Asked:
    by, label = given.get("group_by", "day"), None
    if by.startswith(_LABEL) and len(by) > len(_LABEL):
        by, label = "label", by.removeprefix(_LABEL)
    elif by not in GROUPINGS:
        raise invalid("/query/group_by", f"Choose one of {', '.join(GROUPINGS)}, label.KEY.")
    since, until = query.moment(given, "from"), query.moment(given, "to")
    return Asked(
        by, project_looked_at(given), label, _whole(since, up=False, name="from"),
        _whole(until, up=True, name="to"),
    )  # fmt: skip


def _whole(at: datetime | None, *, up: bool, name: str) -> datetime | None:
    """Return the hour a time is in, or the next one: usage is kept by the hour."""
    if at is None:
        return None
    try:
        exact = at.astimezone(UTC)
        hour = exact.replace(minute=0, second=0, microsecond=0)
        return hour + _HOUR if up and hour != exact else hour
    except OverflowError:
        raise invalid(f"/query/{name}", "Give a time of this age.") from None


@blueprint.get("/audit-log")
@needs("admin")
def get_audit_log() -> Response:
    """List what was done, newest first."""
    given = query.known(
        "object", "actor", "action", "from", "to", "project", "limit", "cursor"
    )  # fmt: skip
    limit = query.limit(given)
    wanted = AuditFilter(
        project_looked_at(given), given.get("object"), given.get("actor"), given.get("action"),
        query.moment(given, "from"), query.moment(given, "to"),
    )  # fmt: skip
    scope = f"{actor().project_id} audit-log {wanted}"
    before = None
    if "cursor" in given:
        [before] = cursors.read(scope, given["cursor"], int)
    with wired().engine.connect() as connection:
        page = audit.page(connection, wanted, before=before, limit=limit + 1)
    cursor = cursors.write(scope, [page[limit - 1].id]) if len(page) > limit else None
    return answer({"items": [audit_object(one) for one in page[:limit]], "next_cursor": cursor})
