"""Writes output and error files from the results of a batch, in the order of its lines."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from services.api.batches.custom_ids import CustomIds
from services.api.batches.status import status_of
from shared.database import batch_answers, result_pages, stages
from shared.database.batches import BatchRecord
from shared.database.engine import Engine
from shared.database.result_pages import GOOD, NOT_GOOD, SettledUnit
from shared.domain.batch import not_run
from shared.domain.job import FINAL
from shared.domain.model_call import ANSWER_NOT_OK

UNITS_AT_ONCE = 500
BYTES_AT_ONCE = 4_000_000
_ANSWERED = (ANSWER_NOT_OK, "permanent")  # the endpoint's answer is kept with the attempt


def output_lines(engine: Engine, batch: BatchRecord) -> Iterator[bytes]:
    """Yield the lines of requests that succeeded so far, some at a time."""
    stage_id = _stage_id(engine, batch)
    unit = 0
    while stage_id is not None:
        with engine.connect() as connection:
            found = result_pages.in_unit_order(
                connection, stage_id, unit, GOOD, limit=UNITS_AT_ONCE, max_bytes=BYTES_AT_ONCE
            )
        if not found:
            return
        unit = found[-1].unit + 1
        yield b"".join(_good_line(batch, one) for one in found)


def error_lines(engine: Engine, batch: BatchRecord) -> Iterator[bytes]:
    """Yield the lines of requests that failed so far; of an ended batch also those never run."""
    stage_id = _stage_id(engine, batch)
    ids = CustomIds(engine, batch.table_id)
    if stage_id is not None:
        yield from _failed(engine, batch, stage_id, ids)
    if batch.job_status in FINAL:
        yield from _not_run(engine, batch, stage_id, ids)


def _stage_id(engine: Engine, batch: BatchRecord) -> int | None:
    if batch.job_id is None:
        return None
    with engine.connect() as connection:
        found = stages.of_job(connection, batch.job_id)
    return found[0].id if found else None


def _failed(
    engine: Engine, batch: BatchRecord, stage_id: int, ids: Callable[[int], str | None]
) -> Iterator[bytes]:
    unit = 0
    while True:
        with engine.connect() as connection:
            found = result_pages.endings_of_stage(
                connection, stage_id, unit, NOT_GOOD, limit=UNITS_AT_ONCE
            )
            units = [one.unit for one in found if one.code in _ANSWERED]
            raws = batch_answers.last_raw(connection, stage_id, units)
        if not found:
            return
        unit = found[-1].unit + 1
        yield b"".join(
            _line(batch, one.unit, ids(one.unit), **_ending(batch, one, raws.get(one.unit)))
            for one in found
        )


def _not_run(
    engine: Engine, batch: BatchRecord, stage_id: int | None, ids: Callable[[int], str | None]
) -> Iterator[bytes]:
    coverage = batch.coverage or {}
    if coverage.get("succeeded", 0) + coverage.get("failed", 0) >= batch.total:
        return
    code, message = not_run(status_of(batch))
    error = {"code": code, "message": message}
    for first in range(0, batch.total, UNITS_AT_ONCE):
        end = min(first + UNITS_AT_ONCE, batch.total)
        with engine.connect() as connection:
            units = batch_answers.without_outcome(connection, stage_id, first, end)
        if units:
            yield b"".join(_line(batch, unit, ids(unit), None, error) for unit in units)


def _good_line(batch: BatchRecord, unit: SettledUnit) -> bytes:
    [row] = unit.output or [{}]
    return _line(batch, unit.unit, row.get("custom_id"), _response(batch, unit.unit, row), None)


def _ending(batch: BatchRecord, unit: SettledUnit, raw: str | None) -> dict[str, Any]:
    """Return `response` or `error` of a request that failed."""
    try:
        answer = orjson.loads(raw) if raw is not None else None
    except orjson.JSONDecodeError:  # a very long answer, clipped when it was kept
        answer = None
    if isinstance(answer, dict):
        return {"response": _response(batch, unit.unit, answer), "error": None}
    code = unit.code or unit.outcome
    return {"response": None, "error": {"code": code, "message": unit.detail or code}}


def _response(batch: BatchRecord, unit: int, answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "status_code": answer.get("status_code"),
        "request_id": answer.get("request_id") or _line_id(batch, unit),
        "body": answer.get("body"),
    }


def _line(
    batch: BatchRecord, unit: int, custom_id: str | None, response: dict[str, Any] | None,
    error: dict[str, Any] | None,
) -> bytes:  # fmt: skip
    told = {
        "id": _line_id(batch, unit), "custom_id": custom_id, "response": response, "error": error
    }  # fmt: skip
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def _line_id(batch: BatchRecord, unit: int) -> str:
    """The same whenever the file is written."""
    return f"batch_req_{batch.id.partition('_')[2]}_{unit}"
