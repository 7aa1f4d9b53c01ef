"""Projects: the tenants, and what an operator allows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, text

from shared.database.engine import to_json
from shared.domain.budget import Budget

_FIELDS = """p.id, p.name, p.weight, p.allow_external, p.tools, p.quotas, p.created_at,
  p.default_budget_microusd, p.default_budget_tokens, p.default_budget_ms,
  a.budget_microusd, a.budget_tokens, a.budget_ms
  FROM projects p LEFT JOIN spend_accounts a ON a.id = p.id"""
_MEASURES = ("microusd", "tokens", "ms")


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """One tenant, as an operator sees it; `tools` None allows all but MCP servers'.

    `default_budget` is what its jobs may spend that do not say, `budget` what it may in all.
    """

    id: str
    name: str
    weight: int
    allow_external: bool
    tools: tuple[str, ...] | None
    quotas: dict[str, int]
    created_at: datetime
    default_budget: Budget
    budget: Budget


def all_projects(connection: Connection) -> list[ProjectRecord]:
    """Return every project, by name."""
    rows = connection.execute(text(f"SELECT {_FIELDS} ORDER BY p.name")).mappings()
    return [_record(row) for row in rows]


def page(connection: Connection, *, before: str | None, limit: int) -> list[ProjectRecord]:
    """Return projects, newest first, with ids below `before`."""
    rows = connection.execute(
        text(f"""SELECT {_FIELDS} WHERE CAST(:before AS text) IS NULL OR p.id < :before
          ORDER BY p.id DESC LIMIT :limit"""),
        {"before": before, "limit": limit},
    ).mappings()
    return [_record(row) for row in rows]


def find(connection: Connection, project_id: str) -> ProjectRecord | None:
    """Return a project."""
    row = connection.execute(
        text(f"SELECT {_FIELDS} WHERE p.id = :id"), {"id": project_id}
    ).mappings().one_or_none()  # fmt: skip
    return _record(row) if row else None


def find_named(connection: Connection, name: str) -> ProjectRecord | None:
    """Return the project of this name."""
    row = connection.execute(
        text(f"SELECT {_FIELDS} WHERE p.name = :name"), {"name": name}
    ).mappings().one_or_none()  # fmt: skip
    return _record(row) if row else None


def hold(connection: Connection, project_id: str) -> None:
    """Let others that count this project's things, or change it, wait until the transaction ends.

    Rows that refer to the project are written by anybody meanwhile: this lock is not theirs.
    """
    connection.execute(
        text("SELECT 1 FROM projects WHERE id = :id FOR NO KEY UPDATE"), {"id": project_id}
    )


def lock(connection: Connection, project_id: str) -> ProjectRecord | None:
    """Return a project, with its row held (`hold`)."""
    hold(connection, project_id)
    return find(connection, project_id)


def insert(connection: Connection, project_id: str, name: str) -> bool:
    """Write a new project; False when there is one of this name."""
    return connection.execute(
        text("INSERT INTO projects (id, name) VALUES (:id, :name) ON CONFLICT (name) DO NOTHING"),
        {"id": project_id, "name": name},
    ).rowcount == 1  # fmt: skip


def hold_names(connection: Connection) -> None:
    """Let others that give a project a name wait until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(4027014)"))


def edit(
    connection: Connection, project_id: str, *, name: str, weight: int, allow_external: bool,
    tools: tuple[str, ...] | None, quotas: Mapping[str, int],
) -> None:  # fmt: skip
    """Write what an operator may change of a project."""
    connection.execute(
        text("""UPDATE projects SET name = :name, weight = :weight, tools = :tools,
            allow_external = :allow_external, quotas = CAST(:quotas AS jsonb) WHERE id = :id"""),
        {"id": project_id, "name": name, "weight": weight, "allow_external": allow_external,
         "tools": None if tools is None else list(tools), "quotas": to_json(quotas)},
    )  # fmt: skip


def allowed_tools(connection: Connection, project_id: str) -> frozenset[str] | None:
    """Return the tools the project allows; None allows every tool but those of MCP servers."""
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


def _record(row: RowMapping) -> ProjectRecord:
    own = {name: row[name] for name in ("id", "name", "weight", "allow_external", "created_at")}
    return ProjectRecord(
        **own,
        tools=None if row["tools"] is None else tuple(row["tools"]),
        quotas=dict(row["quotas"]),
        default_budget=Budget(*(row[f"default_budget_{one}"] for one in _MEASURES)),
        budget=Budget(*(row[f"budget_{one}"] for one in _MEASURES)),
    )
