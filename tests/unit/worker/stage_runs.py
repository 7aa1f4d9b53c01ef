"""Builds prepared stages for tests of what workers do with them."""

from dataclasses import fields
from typing import Any

import jsonschema_rs

from services.worker.stage_run import StageRun
from shared.database.stages import StageRecord
from shared.domain.columns import Column, columns_of_schema
from shared.domain.plan import UnitSpec
from shared.domain.stage import Kept, StageSpec

WORD = {"word": {"type": ["string", "null"]}}


def stage_run(
    properties: dict[str, Any] | None = None,
    *,
    emit: Any = "one",
    unit: UnitSpec | None = None,
    kept: tuple[Kept, ...] = (),
    kept_columns: tuple[Column, ...] = (),
) -> StageRun:
    """Return a stage whose output rows have these properties, all required and no others."""
    properties = WORD if properties is None else properties
    output = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    spec = StageSpec(
        over=("rows_of",), unit=unit or UnitSpec("rows"), params={}, instructions=None, input=None,
        output=output, emit=emit, kept=kept, replicas=1, agree=None, retries=2, timeout_s=5.0,
    )  # fmt: skip
    known = {
        "id": 1, "job_id": "job", "name": "stage", "status": "open", "spec": spec.to_json(),
        "columns": (*kept_columns, *columns_of_schema(output)),
    }  # fmt: skip
    record = StageRecord(**{**dict.fromkeys(field.name for field in fields(StageRecord)), **known})
    nothing: Any = None
    return StageRun(
        record=record, spec=spec, capability=nothing, source=nothing, over={}, one_row_tables={},
        instructions=None, input=None, validator=jsonschema_rs.validator_for(output),
        hasher=nothing, job=nothing,
    )  # fmt: skip
