"""Projects: an operator makes and changes them, an admin sees its own."""

from typing import Any

from flask import Blueprint, Response

from services.api import cursors, query
from services.api.answers import answer
from services.api.auth import actor, needs
from services.api.bodies import json_body
from services.api.idempotency import Given, Remember, once
from services.api.operator import require_operator, require_visible
from services.api.problems import not_found
from services.api.schemas.service import ProjectEditSchema, ProjectRequestSchema
from services.api.schemas.strict import loaded
from services.api.views.service import project_object
from services.api.wired import wired
from shared.actions.actor import SYSTEM
from shared.actions.projects import KEEP, ProjectEdit, create_project, edit_project
from shared.database import projects
from shared.database.engine import Connection
from shared.database.projects import ProjectRecord

blueprint = Blueprint("projects", __name__, url_prefix="/v1/projects")

_CREATED = 201


@blueprint.post("")
@needs(SYSTEM)
def create() -> Response:
    """Make a project."""
    query.known()
    raw, document = json_body()
    edit = _edit(loaded(ProjectRequestSchema(), document))

    def work(remember: Remember) -> Given:
        body: dict[str, Any] = {}

        def before_commit(connection: Connection, made: ProjectRecord) -> None:
            body.update(project_object(made, wired().settings))
            remember(connection, _CREATED, body, body["links"]["self"])

        create_project(wired().engine, actor(), edit, before_commit)
        return Given(_CREATED, body, {"Location": body["links"]["self"]})

    return once(raw, work)


@blueprint.get("")
@needs("admin")
def list_projects() -> Response:
    """List projects, newest first: all for an operator's key, else the key's own."""
    given = query.known("limit", "cursor")
    limit, scope, before = query.limit(given), f"{actor().project_id} projects", None
    if "cursor" in given:
        [before] = cursors.read(scope, given["cursor"], str)
    with wired().engine.connect() as connection:
        if actor().may(SYSTEM):
            page = projects.page(connection, before=before, limit=limit + 1)
        else:
            own = projects.find(connection, actor().project_id)
            page = [own] if own and before is None else []
    cursor = cursors.write(scope, [page[limit - 1].id]) if len(page) > limit else None
    items = [project_object(one, wired().settings) for one in page[:limit]]
    return answer({"items": items, "next_cursor": cursor})


@blueprint.get("/<project_id>")
@needs("admin")
def get(project_id: str) -> Response:
    """Return one project."""
    query.known()
    require_visible(project_id)
    with wired().engine.connect() as connection:
        found = projects.find(connection, project_id)
    if found is None:
        raise not_found("project")
    return answer(project_object(found, wired().settings))


@blueprint.patch("/<project_id>")
@needs("admin")
def edit(project_id: str) -> Response:
    """Change a project; for an operator's key only."""
    query.known()
    require_visible(project_id)
    require_operator()
    wanted = _edit(loaded(ProjectEditSchema(), json_body()[1]))
    changed = edit_project(wired().engine, actor(), project_id, wanted)
    return answer(project_object(changed, wired().settings))


def _edit(data: dict[str, Any]) -> ProjectEdit:
    return ProjectEdit(
        name=data.get("name"),
        weight=data.get("weight"),
        allow_external=data.get("allow_external"),
        tools=data.get("tools", KEEP),
        quotas=data["quotas"],
        default_budget=data["default_budget"],
        budget=data["budget"],
    )
