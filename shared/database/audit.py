"""The audit log: who did what to which object; rows are only ever added."""

from typing import Any

from sqlalchemy import Connection, text

from shared.database.engine import to_json


def append(
    connection: Connection, project_id: str, actor: str, action: str, object_id: str,
    detail: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Add a row in the transaction that does the thing; `detail` never holds row data or keys."""
    connection.execute(
        text("""INSERT INTO audit_log (project_id, actor, action, object_id, detail)
          VALUES (:project_id, :actor, :action, :object_id, CAST(:detail AS jsonb))"""),
        {"project_id": project_id, "actor": actor, "action": action, "object_id": object_id,
         "detail": to_json(detail or {})},
    )  # fmt: skip
