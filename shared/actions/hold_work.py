"""Pauses and resumes the work of a whole project, or of all of them: an operator's switch."""

from shared.actions.refusals import NotFound
from shared.database import audit, pauses, projects
from shared.database.engine import Connection


def hold_work(tx: Connection, project: str | None, by: str) -> bool:
    """Stop claims, announcements and planning of a project (by name) or, None, of everything.

    What is under way ends. False when it was paused already. Raises NotFound for an unknown name.
    """
    scope = _scope(tx, project)
    held = pauses.pause(tx, scope, by)
    if held:
        audit.append(tx, scope, by, "work.pause", scope)
    return held


def let_work_go(tx: Connection, project: str | None, by: str) -> bool:
    """Undo `hold_work`; False when it was not paused. Raises as that does."""
    scope = _scope(tx, project)
    released = pauses.resume(tx, scope)
    if released:
        audit.append(tx, scope, by, "work.resume", scope)
    return released


def _scope(tx: Connection, project: str | None) -> str:
    if project is None:
        return pauses.EVERYTHING
    found = projects.find_named(tx, project)
    if found is None:
        raise NotFound("project")
    return found.id
