"""What a project's agents may use; the projects themselves are made in `keys`."""

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """One tenant, as an operator sees it; `tools` None allows every tool there is."""

    id: str
    name: str
    weight: int
    allow_external: bool
    tools: tuple[str, ...] | None


def all_projects(connection: Connection) -> list[ProjectRecord]:
    """Return every project, by name."""
    rows = connection.execute(
        text("SELECT id, name, weight, allow_external, tools FROM projects ORDER BY name")
    ).mappings()
    return [
        ProjectRecord(**{**row, "tools": None if row["tools"] is None else tuple(row["tools"])})
        for row in rows
    ]


def allowed_tools(connection: Connection, project_id: str) -> frozenset[str] | None:
    """Return the tools the project allows; None allows every tool there is."""
    allowed = connection.execute(
        text("SELECT tools FROM projects WHERE id = :id"), {"id": project_id}
    ).scalar_one_or_none()
    return None if allowed is None else frozenset(allowed)


def set_tools(connection: Connection, project_id: str, tools: tuple[str, ...] | None) -> None:
    """Replace the list; None takes it away."""
    connection.execute(
        text("UPDATE projects SET tools = :tools WHERE id = :id"),
        {"id": project_id, "tools": None if tools is None else list(tools)},
    )
