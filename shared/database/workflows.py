"""Workflows: a name in a project, and versions that never change."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json

_FIELDS = """w.id, w.project_id, w.name, v.version, w.version AS latest_version, v.description,
  v.goal, v.plan, v.defaults, v.created_by, v.created_at"""


@dataclass(frozen=True, slots=True)
class WorkflowRecord:
    """One version of a workflow: a plan, or a goal; `defaults` are the options of its jobs."""

    id: str
    project_id: str
    name: str
    version: int
    latest_version: int
    description: str | None
    goal: str | None
    plan: dict[str, Any] | None
    defaults: dict[str, Any]
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What `insert` needs besides the name."""

    description: str | None
    goal: str | None
    plan: dict[str, Any] | None
    defaults: dict[str, Any]
    created_by: str


def insert(
    connection: Connection, workflow_id: str, project_id: str, name: str, new: NewVersion
) -> WorkflowRecord:
    """Write version 1, or the next one of a name the project has (`workflow_id` is unused then).

    The upsert holds the workflow's row, so two requests never get one number.
    """
    row = connection.execute(
        text("""INSERT INTO workflows (id, project_id, name) VALUES (:id, :project_id, :name)
          ON CONFLICT (project_id, name) DO UPDATE SET version = workflows.version + 1
          RETURNING id, version"""),
        {"id": workflow_id, "project_id": project_id, "name": name},
    ).one()
    connection.execute(
        text("""INSERT INTO workflow_versions (workflow_id, version, description, goal, plan,
            defaults, created_by)
          VALUES (:id, :version, :description, :goal, CAST(:plan AS jsonb),
            CAST(:defaults AS jsonb), :created_by)"""),
        {
            "id": row.id, "version": row.version, "description": new.description,
            "goal": new.goal, "plan": None if new.plan is None else to_json(new.plan),
            "defaults": to_json(new.defaults), "created_by": new.created_by,
        },
    )  # fmt: skip
    found = find(connection, project_id, name)
    if found is None:
        raise LookupError(f"workflow {name} is gone within its own transaction")
    return found


def find(
    connection: Connection, project_id: str, name: str, version: int | None = None
) -> WorkflowRecord | None:
    """Return one version of a project's workflow, the newest by default."""
    row = connection.execute(
        text(f"""SELECT {_FIELDS} FROM workflows w JOIN workflow_versions v ON v.workflow_id = w.id
          WHERE w.project_id = :project_id AND w.name = :name
            AND v.version = coalesce(:version, w.version)"""),
        {"project_id": project_id, "name": name, "version": version},
    ).mappings().one_or_none()  # fmt: skip
    return WorkflowRecord(**row) if row else None


def page(
    connection: Connection, project_id: str, *, after: str, limit: int
) -> list[WorkflowRecord]:
    """Return the newest versions of a project's workflows with names above `after`, by name."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM workflows w
          JOIN workflow_versions v ON v.workflow_id = w.id AND v.version = w.version
          WHERE w.project_id = :project_id AND w.name COLLATE "C" > :after
          ORDER BY w.name COLLATE "C" LIMIT :limit"""),
        {"project_id": project_id, "after": after, "limit": limit},
    ).mappings()
    return [WorkflowRecord(**row) for row in rows]


def versions(
    connection: Connection, workflow_id: str, *, before: int | None, limit: int
) -> list[WorkflowRecord]:
    """Return the versions of one workflow with numbers below `before`, newest first."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} FROM workflows w JOIN workflow_versions v ON v.workflow_id = w.id
          WHERE w.id = :id AND (CAST(:before AS integer) IS NULL OR v.version < :before)
          ORDER BY v.version DESC LIMIT :limit"""),
        {"id": workflow_id, "before": before, "limit": limit},
    ).mappings()
    return [WorkflowRecord(**row) for row in rows]


def delete(connection: Connection, project_id: str, name: str) -> WorkflowRecord | None:
    """Delete a workflow with all its versions and return the newest; None when there is none.

    Jobs keep the plan they ran: they have copies.
    """
    found = find(connection, project_id, name)
    if found is None:
        return None
    deleted = connection.execute(
        text("DELETE FROM workflows WHERE id = :id RETURNING version"), {"id": found.id}
    ).scalar_one_or_none()
    return None if deleted is None else found
