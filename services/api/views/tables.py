"""The table object."""

from typing import Any

from services.api.answers import moment
from shared.database.tables import TableRecord


def table_object(table: TableRecord, *, brief: bool = False) -> dict[str, Any]:
    """Return a table's metadata; `brief` leaves statistics and sample out (lists)."""
    shown = {
        "id": table.id,
        "name": table.name,
        "kind": table.kind,
        "status": table.status,
        "job": table.job_id,
        "columns": [column.to_json() for column in table.columns],
        "key": table.key,
        "rows": table.row_count,
        "bytes": table.byte_count,
        "hash": table.content_hash,
        # Before it is loaded, what it is loaded from, which may hold a signature.
        "report": None if table.status == "loading" else table.report,
        "created_at": moment(table.created_at),
        "sealed_at": moment(table.sealed_at),
        "links": {"self": f"/v1/tables/{table.id}", "rows": f"/v1/tables/{table.id}/rows"},
    }
    if brief:
        return shown
    columns = (table.statistics or {}).get("columns")
    return {**shown, "statistics": columns, "sample": table.sample}
