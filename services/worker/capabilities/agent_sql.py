"""The agent's tool `sql`: one SELECT over the rows of its own unit."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from services.worker.capabilities.agent_tool import Tool, ToolError, closed
from shared.capabilities.contract import Unit
from shared.domain.columns import Column
from shared.prompts.marking import neutral
from shared.tables.arrow import rows_to_batch
from shared.tables.readers.json_types import infer_columns
from shared.tables.sql import SqlFailed, SqlInput, SqlLimits, SqlRefused, run_select

TABLE = "unit"
LIMITS = SqlLimits(
    memory_bytes=64 << 20, wall_s=20.0, max_rows=200, max_bytes=1 << 20, disk_bytes=0
)
_NAMED_COLUMNS = 100
_QUERY = {"type": "string", "minLength": 1, "maxLength": 5_000}


def sql_tool(unit: Unit) -> Tool:
    """Return the tool; the query sees one table, `unit`, and can reach nothing else."""
    columns = infer_columns(unit.rows)

    async def run(arguments: Mapping[str, Any]) -> list[dict[str, Any]]:
        cancelled = threading.Event()
        try:
            return await asyncio.to_thread(_rows, arguments["query"], unit, columns, cancelled)
        except (SqlRefused, SqlFailed) as error:
            raise ToolError(f"{error.code}: {error.detail}") from error
        finally:
            cancelled.set()

    told = ", ".join(f"{column.name} {column.type}" for column in columns[:_NAMED_COLUMNS])
    return Tool(
        "sql",
        f"Runs one SELECT (DuckDB) over the material as the table {TABLE}({neutral(told)}) of "
        f"{len(unit.rows)} rows. At most {LIMITS.max_rows} rows may come out; use LIMIT.",
        closed(query=_QUERY),
        run,
        lambda arguments: str(arguments["query"]),
    )


def _rows(
    query: str, unit: Unit, columns: tuple[Column, ...], cancelled: threading.Event
) -> list[dict[str, Any]]:
    table = SqlInput(columns, [rows_to_batch(unit.rows, columns)])
    batches = run_select(query, {TABLE: table}, LIMITS, cancelled=cancelled)
    return [row for batch in batches for row in batch]
