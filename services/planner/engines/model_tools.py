"""The read-only tools of the planning model: describe, sample, query."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import orjson

from services.planner.planning_task import PlanningTask
from shared.database import tables
from shared.database.engine import Engine
from shared.database.tables import TableRecord
from shared.domain.model_call import ToolCall
from shared.plans.prompt.described import clipped, column_facts
from shared.plans.prompt.plan_schema import PLAN
from shared.settings import Settings
from shared.tables.sql import SqlFailed, SqlInput, SqlLimits, SqlRefused, run_select
from shared.tables.store import read_range, rows_of, visible, visible_batches

SUBMIT = "submit_plan"
MOST_ROWS = 20
MOST_ANSWER = 8_000  # characters of what one tool returns
MOST_VALUE = 300
MOST_COLUMNS = 100
QUERY_S = 60.0


class PlanningTools:
    """The tools for one planning task. Where it sees no rows, only `describe` is there."""

    def __init__(self, engine: Engine, settings: Settings, task: PlanningTask) -> None:
        self._engine, self._settings, self._task = engine, settings, task

    def offered(self) -> list[dict[str, Any]]:
        """Return the tools in the form of the API, `submit_plan` included."""
        found = [_DESCRIBE, _SAMPLE, _QUERY] if self._task.sees_rows else [_DESCRIBE]
        return [*(found if self._task.facts.tables else []), _SUBMIT_PLAN]

    async def run(self, call: ToolCall) -> str:
        """Return the answer to one call as JSON, at most `MOST_ANSWER` characters.

        What cannot be done is told in ``{"error": ...}``; nothing is raised for it.
        """
        try:
            arguments = orjson.loads(call.arguments or "{}")
        except orjson.JSONDecodeError as error:
            return _error(f"The arguments are not JSON: {error}")
        if not isinstance(arguments, dict):
            return _error("The arguments must be a JSON object.")
        tools = {"describe": self._describe, "sample": self._sample, "query": self._query}
        known = {tool["function"]["name"] for tool in self.offered()}
        if call.name not in known & tools.keys():
            return _error(f"There is no tool `{clipped(call.name, 60)}` here.")
        return await tools[call.name](arguments)

    async def _describe(self, arguments: dict[str, Any]) -> str:
        table = self._task.facts.tables.get(str(arguments.get("table")))
        if table is None:
            return self._no_table(arguments.get("table"))
        first = _whole(arguments.get("from_column"), 0, len(table.columns))
        shown: list[dict[str, Any]] = []
        told: dict[str, Any] = {
            "rows": table.rows, "key": table.key, "column_count": len(table.columns),
            "from_column": first, "columns": shown,
        }  # fmt: skip
        for column in table.columns[first : first + MOST_COLUMNS]:
            shown.append(column_facts(table, column))
            if len(orjson.dumps(told)) > MOST_ANSWER:
                shown.pop()
                break
        return orjson.dumps(told).decode()

    async def _sample(self, arguments: dict[str, Any]) -> str:
        name = str(arguments.get("table"))
        if name not in self._task.table_ids:
            return self._no_table(name)
        count = _whole(arguments.get("n"), 5, MOST_ROWS)
        return _rows(await asyncio.to_thread(self._sample_rows, name, count))

    async def _query(self, arguments: dict[str, Any]) -> str:
        query = str(arguments.get("sql") or "")
        cancelled = threading.Event()
        try:
            return await asyncio.to_thread(self._query_rows, query, cancelled)
        except (SqlRefused, SqlFailed) as error:
            return _error(f"{error.code}: {clipped(error.detail, 1_000)}")
        finally:
            cancelled.set()

    def _sample_rows(self, name: str, count: int) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            table = tables.find(connection, self._task.table_ids[name])
            if table is None:
                return []
            if table.sample:
                return [
                    {key: value for key, value in row.items() if key != "_row"}
                    for row in table.sample[:count]
                ]
            found = read_range(connection, table, 0, count)
        start = -found.first_row
        return rows_of(visible(found.rows, table.columns))[start : start + count]

    def _query_rows(self, query: str, cancelled: threading.Event) -> str:
        inputs = {
            name: SqlInput(table.columns, visible_batches(self._engine, table))
            for name, table in self._named_tables(query)
        }
        limits = SqlLimits(
            memory_bytes=self._settings.sql_memory_bytes // 2,
            wall_s=min(self._settings.sql_wall_s, QUERY_S),
        )
        rows: list[dict[str, Any]] = []
        with closing(_generator(run_select(query, inputs, limits, cancelled=cancelled))) as found:
            for batch in found:
                rows += batch[: MOST_ROWS + 1 - len(rows)]
                if len(rows) > MOST_ROWS:
                    break  # closing it ends the query
        return _rows(rows)

    def _named_tables(self, query: str) -> Iterator[tuple[str, TableRecord]]:
        """Yield the tables whose names occur in the query: others need not be loaded."""
        words = set(re.findall(r"\w+", query.lower()))
        with self._engine.connect() as connection:
            for name, table_id in self._task.table_ids.items():
                table = tables.find(connection, table_id) if name in words else None
                if table is not None:
                    yield name, table

    def _no_table(self, name: Any) -> str:
        known = ", ".join(sorted(self._task.facts.tables)[:30])
        return _error(f"There is no table `{clipped(str(name), 60)}`. There is: {known}.")


def _generator(rows: Iterator[list[dict[str, Any]]]) -> Any:
    return rows  # `run_select` is a generator: it can be closed


def _rows(rows: list[dict[str, Any]]) -> str:
    """Return as many clipped rows as fit."""
    shown: list[dict[str, Any]] = []
    told: dict[str, Any] = {"rows": shown}
    for row in rows[:MOST_ROWS]:
        shown.append({name: clipped(value, MOST_VALUE) for name, value in row.items()})
        if len(orjson.dumps(told)) > MOST_ANSWER - 50:
            shown.pop()
            break
    return orjson.dumps({**told, "more": len(rows) > len(shown)}).decode()


def _error(detail: str) -> str:
    return orjson.dumps({"error": clipped(detail, 2_000)}).decode()


def _whole(value: Any, default: int, most: int) -> int:
    return min(max(value, 0), most) if type(value) is int else min(default, most)


def _tool(name: str, description: str, parameters: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


def _object(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


_NAME = {"type": "string", "description": "Name of the table."}
_DESCRIBE = _tool(
    "describe",
    "Columns of a table with types and sizes, from a position on; for wide tables.",
    _object(["table"], table=_NAME, from_column={"type": "integer"}),
)
_SAMPLE = _tool(
    "sample",
    f"Up to {MOST_ROWS} clipped rows of a table.",
    _object(["table"], table=_NAME, n={"type": "integer"}),
)
_QUERY = _tool(
    "query",
    f"One SELECT (DuckDB) over the tables; at most {MOST_ROWS} clipped rows come back.",
    _object(["sql"], sql={"type": "string"}),
)
_SUBMIT_PLAN = _tool(SUBMIT, "Submit the whole plan.", PLAN)
