"""What only an operator's key (scope `system`) may: look at projects other than its own."""

from services.api import query
from services.api.auth import actor
from services.api.problems import missing_scope, not_found
from services.api.wired import wired
from shared.actions.actor import SYSTEM
from shared.actions.refusals import FieldProblem, NotFound
from shared.database import projects
from shared.database.engine import Connection


def project_asked(given: dict[str, str]) -> str | None:
    """Return the project of `?project=`, None when silent; 404 unless it may be looked at."""
    if "project" not in given:
        return None
    project_id = query.require_id(given["project"], "prj", "project")
    with wired().engine.connect() as connection:
        return require_project(connection, project_id, "/query/project")


def project_looked_at(given: dict[str, str]) -> str | None:
    """Return whose records to show: an operator's key that names no project sees all (None)."""
    project_id = project_asked(given)
    if project_id is None and not actor().may(SYSTEM):
        return actor().project_id
    return project_id


def require_project(connection: Connection, project_id: str | None, pointer: str) -> str:
    """Return a project the actor may act for, its own when none is named; 404 for others."""
    if project_id is None or project_id == actor().project_id:
        return actor().project_id
    if not actor().may(SYSTEM) or projects.find(connection, project_id) is None:
        raise NotFound("project", [FieldProblem(pointer, "There is no such project.")])
    return project_id


def require_visible(project_id: str) -> None:
    """Answer 404 for a project the actor may not even see."""
    query.require_id(project_id, "prj", "project")
    if project_id != actor().project_id and not actor().may(SYSTEM):
        raise not_found("project")


def require_operator() -> None:
    """Answer 403 unless the key has the scope `system`."""
    if not actor().may(SYSTEM):
        raise missing_scope(SYSTEM)
