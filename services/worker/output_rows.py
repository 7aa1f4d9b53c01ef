"""Checks what a capability returned and puts the kept columns beside it: pure."""

import math
from collections.abc import Mapping
from typing import Any

import orjson

from services.worker.stage_run import StageRun
from shared.capabilities.contract import Unit
from shared.contracts.json_values import value_findings
from shared.domain.columns import Column
from shared.domain.retry import Failure
from shared.tables.arrow import rows_to_batch
from shared.tables.readers.json_check import RowError

SHOWN = 300  # characters of a wrong value in an error
_NONE = type(None)
_PLAIN: dict[str, frozenset[type]] = {
    "string": frozenset({str, _NONE}),
    "integer": frozenset({_NONE}),  # its range has to be looked at
    "number": frozenset({float, _NONE}),
    "boolean": frozenset({bool, _NONE}),
    "json": frozenset({str, int, float, bool, list, dict, _NONE}),
    "date": frozenset({_NONE}),
    "timestamp": frozenset({_NONE}),
}


def output_rows(
    run: StageRun, unit: Unit, returned: Any, output_max_bytes: int
) -> list[dict[str, Any]] | Failure:
    """Return the unit's output rows in the stage's columns, or why they are not valid."""
    own = _as_rows(run, returned)
    if isinstance(own, Failure):
        return own
    for row in own:
        if problem := _problem(run, row):
            return problem
    try:
        size = len(orjson.dumps(own))
    except (TypeError, ValueError) as error:
        return _invalid("not_json", f"the output cannot be written as JSON: {error}")
    if size > output_max_bytes:
        return Failure("output_too_large", f"{size} bytes; at most {output_max_bytes} are kept")
    kept = kept_values(run, unit)
    return [{**kept, **row} for row in own]


def kept_values(run: StageRun, unit: Unit) -> dict[str, Any]:
    """Return the input columns this stage carries: group keys, values, or lists over the unit."""
    values: dict[str, Any] = {}
    for kept in run.spec.kept:
        if kept.mode == "list":
            values[kept.name] = [row[kept.name] for row in unit.rows]
        elif kept.name in unit.key:
            values[kept.name] = unit.key[kept.name]
        else:
            values[kept.name] = unit.rows[0][kept.name]
    return values


def _as_rows(run: StageRun, returned: Any) -> list[dict[str, Any]] | Failure:
    rows = [returned] if isinstance(returned, Mapping) else returned
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return _invalid("schema_mismatch", "the output is neither an object nor a list of objects")
    if run.spec.emit == "one" and len(rows) != 1:
        return _invalid(
            "not_one_row", f"the unit returned {len(rows)} rows; its stage emits one per unit"
        )
    return [dict(row) for row in rows]


def _problem(run: StageRun, row: dict[str, Any]) -> Failure | None:
    if not run.validator.is_valid(row):
        error = next(iter(run.validator.iter_errors(row)))
        return _invalid("schema_mismatch", str(error.message)[:SHOWN])
    own = [column for column in run.record.columns if column.name in row]
    return next((found for column in own if (found := _misfit(column, row[column.name]))), None)


def _misfit(column: Column, value: Any) -> Failure | None:
    if isinstance(value, float) and not math.isfinite(value):
        return _invalid("not_json", f"column {column.name} is not a finite number")
    if isinstance(value, (str, list, dict)) and (findings := value_findings(value)):
        return _invalid("not_json", f"column {column.name}: {findings[0].detail}")
    if type(value) in _PLAIN[column.type]:
        return None
    try:  # rare types and wrong values: ask what will write the table
        rows_to_batch([{column.name: value}], [column])
    except RowError as error:
        return _invalid("schema_mismatch", f"column {column.name}: {error.detail}")
    return None


def _invalid(code: str, detail: str) -> Failure:
    return Failure(code, detail, outcome="invalid")
