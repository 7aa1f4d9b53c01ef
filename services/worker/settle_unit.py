"""Turns the answers to one unit into its outcome, or into another try."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.worker.agree import Agreed, combine
from services.worker.attempt import Answer
from services.worker.contexts import rendered
from services.worker.load_units import LoadedUnit
from services.worker.output_rows import output_rows
from services.worker.stage_run import StageRun
from shared.capabilities.contract import Unit
from shared.database.shards import Tries
from shared.domain.outcome import Attempted, Settled
from shared.domain.retry import Failure, TryAgain, next_step
from shared.plans.unit_hash import StageHasher

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class UnitEnd:
    """What one attempt came to: outcomes and attempts to write; `delay_s` set for another try.

    `pause` is a reason for which the whole job has to pause.
    """

    outcomes: list[Settled]
    attempts: list[Attempted]
    delay_s: float | None = None
    pause: dict[str, Any] | None = None


def end_of(
    run: StageRun, item: LoadedUnit, tries: Tries, replicas: Sequence[Answer],
    usage: dict[str, Any] | None, output_max_bytes: int, judged: Agreed | Failure | None = None,
) -> UnitEnd:  # fmt: skip
    """Return the end of an attempt; pure but for the die of the back-off."""
    checked = [checked_rows(run, item.unit, answer, output_max_bytes) for answer in replicas]
    combined: Rows | Agreed | Failure = checked[0]
    if run.spec.replicas > 1:
        combined = judged or combine(checked, run.spec.agree)
    duration = max(answer.duration_ms for answer in replicas)
    if isinstance(combined, Failure):
        return _failed(run, item, tries, combined, duration, usage)
    return _succeeded(run, item, tries, checked, combined, replicas, duration, usage)


def checked_rows(
    run: StageRun, unit: Unit, answer: Answer, output_max_bytes: int
) -> Rows | Failure:
    """Return the rows of an answer in the stage's columns, or why they are not valid."""
    if isinstance(answer.returned, Failure):
        return answer.returned
    return output_rows(run, unit, answer.returned, output_max_bytes)


def unit_hash(
    run: StageRun, unit: Unit, replica: int = 0, hasher: StageHasher | None = None
) -> str:
    """Return the identity of this subtask's work (see `shared/plans/unit_hash.py`).

    With another stage's `hasher`: that of the same unit there.
    """
    tables = {name: table.content_hash or table.id for name, table in run.over.items()}
    return (hasher or run.hasher).unit(
        [{**unit.key}, *unit.rows],
        rendered(run, run.input, unit),
        replica,
        before=unit.before,
        after=unit.after,
        tables=tables if run.reads_tables else None,
    )


def _failed(
    run: StageRun, item: LoadedUnit, tries: Tries, failure: Failure, duration: int,
    usage: dict[str, Any] | None,
) -> UnitEnd:  # fmt: skip
    number = tries.made + 1
    step = next_step(tries.burned + 1, failure, run.spec.retries, random.random())  # noqa: S311
    tried = Attempted(
        item.unit.index, number, "retry" if isinstance(step, TryAgain) else step,
        code=failure.code, detail=failure.detail, raw=failure.raw, duration_ms=duration,
        burned=failure.burns, usage=usage, model=failure.model,
    )  # fmt: skip
    if isinstance(step, TryAgain):
        return UnitEnd([], [tried], delay_s=step.delay_s, pause=failure.pause)
    outcome = Settled(
        item.unit.index, step, number, code=failure.code, detail=failure.detail,
        unit_hash=unit_hash(run, item.unit), source=item.source, missing=item.missing,
        duration_ms=duration,
    )  # fmt: skip
    return UnitEnd([outcome], [tried], pause=failure.pause)


def _succeeded(
    run: StageRun, item: LoadedUnit, tries: Tries, checked: list[Rows | Failure],
    combined: Rows | Agreed, replicas: Sequence[Answer], duration: int,
    usage: dict[str, Any] | None,
) -> UnitEnd:  # fmt: skip
    number = tries.made + 1
    rows = _with_agreement(combined) if isinstance(combined, Agreed) else combined
    outcomes = [
        Settled(
            item.unit.index, "succeeded", number, output=rows,
            unit_hash=unit_hash(run, item.unit), source=item.source, missing=item.missing,
            duration_ms=duration, usage=usage,
        )
    ]  # fmt: skip
    if run.spec.replicas > 1:
        outcomes += _record(run, item, number, checked, replicas)
    raw = next((answer.raw for answer in replicas if answer.raw), None)
    tried = Attempted(item.unit.index, number, "succeeded", raw=raw, duration_ms=duration)
    return UnitEnd(outcomes, [tried] if number > 1 or raw else [])


def _record(
    run: StageRun, item: LoadedUnit, number: int, checked: list[Rows | Failure],
    replicas: Sequence[Answer],
) -> list[Settled]:  # fmt: skip
    """Keep every replica's own answer beside the combined one: replicas 1, 2, ..."""
    kept = []
    for replica, (rows, answer) in enumerate(zip(checked, replicas, strict=True), start=1):
        failed = isinstance(rows, Failure)
        kept.append(
            Settled(
                item.unit.index,
                rows.outcome if isinstance(rows, Failure) else "succeeded",
                number,
                replica=replica,
                code=rows.code if isinstance(rows, Failure) else None,
                detail=rows.detail if isinstance(rows, Failure) else None,
                output=None if isinstance(rows, Failure) else rows,
                unit_hash=None if failed else unit_hash(run, item.unit, replica),
                duration_ms=answer.duration_ms,
            )
        )
    return kept


def _with_agreement(agreed: Agreed) -> Rows:
    return [{**row, "_agreement": agreed.share} for row in agreed.rows]
