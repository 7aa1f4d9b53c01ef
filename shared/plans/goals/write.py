"""Writes the parts all rule-made plans share."""

from collections.abc import Iterable, Sequence
from typing import Any

from shared.plans.facts import TableFacts


def plan_document(stages: list[dict[str, Any]], result: str) -> dict[str, Any]:
    """Return a whole plan document of these stages."""
    return {"version": 1, "stages": stages, "result": {"table": result}, "then": "finish"}


def stage(
    name: str,
    over: str | list[str],
    unit: dict[str, Any],
    capability: str,
    params: dict[str, Any],
    keep: Sequence[str] = (),
) -> dict[str, Any]:
    """Return one stage; `keep` is left out when empty."""
    written: dict[str, Any] = {
        "name": name,
        "over": over,
        "unit": unit,
        "capability": capability,
        "params": params,
    }
    return written | ({"keep": list(keep)} if keep else {})


def query(name: str, over: list[str], sql: str) -> dict[str, Any]:
    """Return an `sql` stage."""
    single = over[0] if len(over) == 1 else over
    return stage(name, single, {"table": True}, "sql", {"query": sql})


def others(table: TableFacts, produced: Iterable[str]) -> list[str]:
    """Return the columns of a table a stage can carry on: all but those it produces itself."""
    own = set(produced)
    return [column.name for column in table.columns if column.name not in own]
