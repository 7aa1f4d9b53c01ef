"""Runs the units of one shard concurrently and hands each outcome to the settler."""

import asyncio
import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from services.worker.agree import Agreed, combine
from services.worker.attempt import Answer, attempt_in_child, attempt_on_loop
from services.worker.child_pool import ChildPool
from services.worker.held import HeldShard
from services.worker.load_units import LoadedUnit
from services.worker.output_rows import output_rows
from services.worker.settler import Settler
from services.worker.stage_run import StageRun
from shared.capabilities.contract import Context, Unit
from shared.domain.outcome import Attempted, Settled
from shared.domain.retry import Failure, TryAgain, next_step
from shared.plans.render import CompiledTemplate, render
from shared.settings import Settings

UNITS_PER_CHILD_CALL = 20
Rows = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Runtime:
    """What running units needs; one per process, `loop` runs on a thread of its own."""

    settings: Settings
    settler: Settler
    children: ChildPool
    loop: asyncio.AbstractEventLoop
    in_flight: asyncio.Semaphore  # units awaiting on the loop
    in_children: asyncio.Semaphore  # batches given to children; few, so that a stop is quick
    stopping: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Leftover:
    """Units without an outcome: `postponed` try again after `delay_s`, `unstarted` were not run."""

    postponed: list[int]
    delay_s: float
    unstarted: list[int]


async def run_units(
    runtime: Runtime, run: StageRun, held: HeldShard, loaded: Sequence[LoadedUnit],
    attempts: dict[int, int],
) -> Leftover:  # fmt: skip
    """Run every unit once (each replica), settle what ended, return what did not."""
    leftover = Leftover([], 0.0, [])
    delays = [0.0]
    batches = list(_batches(run, loaded))
    limit = runtime.in_children if run.capability.runs == "process" else runtime.in_flight

    async def one_batch(batch: Sequence[LoadedUnit]) -> None:
        async with limit:
            if held.lost or runtime.stopping():
                leftover.unstarted.extend(item.unit.index for item in batch)
                return
            tried = {item.unit.index: attempts.get(item.unit.index, 0) + 1 for item in batch}
            answers = await _attempt(runtime, run, batch, tried)
            for item, replicas in zip(batch, answers, strict=True):
                delay = _settle(runtime, run, held, item, tried[item.unit.index], replicas)
                if delay is not None:
                    leftover.postponed.append(item.unit.index)
                    delays.append(delay)

    async with asyncio.TaskGroup() as group:
        for batch in batches:
            group.create_task(one_batch(batch))
    return Leftover(sorted(leftover.postponed), max(delays), sorted(leftover.unstarted))


def _batches(run: StageRun, loaded: Sequence[LoadedUnit]) -> Iterator[Sequence[LoadedUnit]]:
    """Small units share a call to a child; on the loop every unit goes by itself."""
    in_child = run.capability.runs == "process" and run.spec.unit.single_row
    size = UNITS_PER_CHILD_CALL if in_child else 1
    for start in range(0, len(loaded), size):
        yield loaded[start : start + size]


async def _attempt(
    runtime: Runtime, run: StageRun, batch: Sequence[LoadedUnit],
    tried: dict[int, int],
) -> list[list[Answer]]:  # fmt: skip
    """Return the answers of every unit's replicas, in the order of the batch."""
    calls = [
        (item.unit, _context(run, item.unit, tried[item.unit.index], replica))
        for item in batch
        for replica in range(run.spec.replicas)
    ]
    if run.capability.runs == "process":
        answers = await attempt_in_child(runtime.children, run, calls)
    else:
        answers = list(await asyncio.gather(*(attempt_on_loop(run, *call) for call in calls)))
    step = run.spec.replicas
    return [answers[start : start + step] for start in range(0, len(answers), step)]


def _context(run: StageRun, unit: Unit, attempt: int, replica: int) -> Context:
    name = f"{run.record.job_id}/{run.record.name}/{unit.index}/{replica}"
    return Context(
        params=run.spec.params,
        brief=run.record.brief,
        prompt=_render(run, run.input, unit),
        instructions=_render(run, run.instructions, unit),
        output=run.spec.output,
        attempt=attempt,
        replica=replica,
        timeout_s=run.spec.timeout_s,
        idempotency_key=hashlib.sha256(name.encode()).hexdigest(),
    )


def _render(run: StageRun, template: CompiledTemplate | None, unit: Unit) -> str | None:
    if template is None:
        return None
    return render(
        template, unit.rows, run.spec.unit.single_row, unit.key, run.one_row_tables,
        before=unit.before, after=unit.after,
    )  # fmt: skip


def _settle(
    runtime: Runtime, run: StageRun, held: HeldShard, item: LoadedUnit, attempt: int,
    replicas: list[Answer],
) -> float | None:  # fmt: skip
    """Turn the replicas' answers into the unit's outcome; return a delay if it is tried again."""
    checked = [_check(runtime, run, item.unit, answer) for answer in replicas]
    combined = combine(checked, run.spec.agree) if run.spec.replicas > 1 else checked[0]
    duration = max(answer.duration_ms for answer in replicas)
    if isinstance(combined, Failure):
        return _fail(runtime, run, held, item, attempt, combined, duration)
    rows = _with_agreement(combined) if isinstance(combined, Agreed) else combined
    outcomes = [_succeeded(run, item, attempt, rows, duration, replica=0)]
    if run.spec.replicas > 1:
        outcomes += _record(run, item, attempt, checked, replicas)
    tries = [Attempted(item.unit.index, attempt, "succeeded")] if attempt > 1 else []
    runtime.settler.put(held, outcomes, tries)
    return None


def _check(runtime: Runtime, run: StageRun, unit: Unit, answer: Answer) -> Rows | Failure:
    if isinstance(answer.returned, Failure):
        return answer.returned
    return output_rows(run, unit, answer.returned, runtime.settings.output_max_bytes)


def _fail(
    runtime: Runtime, run: StageRun, held: HeldShard, item: LoadedUnit, attempt: int,
    failure: Failure, duration: int,
) -> float | None:  # fmt: skip
    step = next_step(attempt, failure, run.spec.retries, random.random())  # noqa: S311 - jitter
    ending = "retry" if isinstance(step, TryAgain) else step
    tried = Attempted(
        item.unit.index, attempt, ending, code=failure.code, detail=failure.detail,
        duration_ms=duration,
    )  # fmt: skip
    if isinstance(step, TryAgain):
        runtime.settler.put(held, [], [tried])
        return step.delay_s
    outcome = Settled(
        item.unit.index, step, attempt, code=failure.code, detail=failure.detail,
        unit_hash=_hash(run, item.unit, 0), source=item.source,
        missing=item.missing, duration_ms=duration,
    )  # fmt: skip
    runtime.settler.put(held, [outcome], [tried])
    return None


def _succeeded(
    run: StageRun, item: LoadedUnit, attempt: int, rows: Rows, duration: int, *, replica: int
) -> Settled:
    return Settled(
        item.unit.index, "succeeded", attempt, replica=replica, output=rows,
        unit_hash=_hash(run, item.unit, replica), source=item.source,
        missing=item.missing, duration_ms=duration,
    )  # fmt: skip


def _record(
    run: StageRun, item: LoadedUnit, attempt: int, checked: list[Rows | Failure],
    replicas: list[Answer],
) -> list[Settled]:  # fmt: skip
    """Keep every replica's own answer beside the combined one: replicas 1, 2, ..."""
    kept = []
    for number, (rows, answer) in enumerate(zip(checked, replicas, strict=True), start=1):
        if isinstance(rows, Failure):
            kept.append(
                Settled(
                    item.unit.index,
                    rows.outcome,
                    attempt,
                    replica=number,
                    code=rows.code,
                    detail=rows.detail,
                    duration_ms=answer.duration_ms,
                )
            )
        else:
            kept.append(_succeeded(run, item, attempt, rows, answer.duration_ms, replica=number))
    return kept


def _with_agreement(agreed: Agreed) -> Rows:
    return [{**row, "_agreement": agreed.share} for row in agreed.rows]


def _hash(run: StageRun, unit: Unit, replica: int) -> str:
    tables = {name: table.content_hash or table.id for name, table in run.over.items()}
    return run.hasher.unit(
        [{**unit.key}, *unit.rows],
        _render(run, run.input, unit),
        replica,
        before=unit.before,
        after=unit.after,
        tables=tables if run.reads_tables else None,
    )
