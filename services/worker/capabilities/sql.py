"""`sql`: one SELECT over the tables of the stage."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

from services.worker.capabilities.assemble import assemble
from shared.capabilities.builtin import sql as facts
from shared.capabilities.contract import Context, Unit
from shared.domain.columns import Column
from shared.settings import Settings, load_settings
from shared.tables.sql import SqlInput, SqlLimits, run_select


async def run(unit: Unit, context: Context) -> list[dict[str, Any]]:
    """Return the rows of the result; raises `SqlRefused` or `SqlFailed`, which carry a code.

    The query runs in a child process; when the subtask is cancelled, so is the query.
    """
    inputs = {
        name: SqlInput([Column.from_json(column) for column in table.columns], table.batches())
        for name, table in unit.tables.items()
    }
    limits = _limits(load_settings(stores=False), context.timeout_s)
    cancelled = threading.Event()
    try:
        return await asyncio.to_thread(_rows, context.params["query"], inputs, limits, cancelled)
    finally:
        cancelled.set()


def _limits(settings: Settings, timeout_s: float) -> SqlLimits:
    return SqlLimits(
        memory_bytes=settings.sql_memory_bytes // 2,  # the process may have twice that
        wall_s=min(settings.sql_wall_s, timeout_s),
        max_bytes=settings.output_max_bytes,
    )


def _rows(
    query: str, inputs: dict[str, SqlInput], limits: SqlLimits, cancelled: threading.Event
) -> list[dict[str, Any]]:
    batches = run_select(query, inputs, limits, cancelled=cancelled)
    return [row for batch in batches for row in batch]


# On the loop and not in a child of the worker: the tables are handles that no pickle can carry,
# and the query has a child process of its own.
capability = assemble(replace(facts.MANIFEST, runs="loop"), facts.output, run)
