"""Runs the units of one shard concurrently and hands each outcome to the settler."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.worker.agree import Agreed
from services.worker.ask import UnitAsk
from services.worker.attempt import Answer, attempt_in_child, attempt_on_loop, attempt_pack
from services.worker.child_pool import ChildPool
from services.worker.contexts import ask_of, context_of
from services.worker.fair_turns import FairTurns
from services.worker.held import HeldShard
from services.worker.job_breakers import JobBreakers
from services.worker.judge import judge
from services.worker.load_units import LoadedUnit
from services.worker.model_door import ModelDoor
from services.worker.settle_unit import UnitEnd, checked_rows, end_of
from services.worker.settler import Settler
from services.worker.stage_run import StageRun
from services.worker.unbegun import Unbegun
from shared.capabilities.contract import Context, Unit
from shared.database.shards import ShardRecord, Tries
from shared.domain.retry import Failure
from shared.llm.budget import Purses
from shared.seams import reach
from shared.settings import Settings

UNITS_PER_CHILD_CALL = 20


@dataclass(frozen=True, slots=True)
class Runtime:
    """What running units needs; one per process, `loop` runs on a thread of its own."""

    settings: Settings
    settler: Settler
    children: ChildPool
    loop: asyncio.AbstractEventLoop
    in_flight: FairTurns  # units awaiting on the loop
    in_children: FairTurns  # batches given to children; few, so that a stop is quick
    stopping: Callable[[], bool]
    door: ModelDoor
    purses: Purses
    breakers: JobBreakers
    pause: Callable[
        [ShardRecord, dict[str, Any]], Coroutine[Any, Any, None]
    ]  # until Postgres knows
    split: Callable[
        [ShardRecord, list[int]], Coroutine[Any, Any, bool]
    ]  # to a new shard; False when that did not work


@dataclass(slots=True)
class Leftover:
    """Units without an outcome: `postponed` try again after a while, `unstarted` were not run.

    `moved` belong to another shard now.
    """

    postponed: dict[int, float] = field(default_factory=dict)  # unit -> seconds to wait
    unstarted: list[int] = field(default_factory=list)
    moved: set[int] = field(default_factory=set)
    succeeded: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # their output

    def add(self, other: "Leftover") -> None:
        """Join what a second run of the same shard left over."""
        self.postponed |= other.postponed
        self.unstarted += other.unstarted
        self.moved |= other.moved

    def take(self, unit: int, end: UnitEnd) -> None:
        """Note a unit that has to be tried again."""
        if end.outcomes and end.outcomes[0].output is not None:
            self.succeeded[unit] = end.outcomes[0].output
        if end.delay_s is not None:
            self.postponed[unit] = end.delay_s


async def run_units(
    runtime: Runtime, run: StageRun, held: HeldShard, loaded: Sequence[LoadedUnit],
    tries: Mapping[int, Tries],
) -> Leftover:  # fmt: skip
    """Run every unit once (each replica), settle what ended, return what did not.

    When the lease is lost or the shard is aborted, calls in flight are too. A reason to pause
    the job takes effect at once in all shards of this process, not when the slowest call of this
    shard has ended.
    """
    leftover, reasons = Leftover(), list[dict[str, Any]]()
    limit = runtime.in_children if run.capability.runs == "process" else runtime.in_flight
    batches = list(_batches(run, loaded))
    unbegun = Unbegun(batches)

    async def one_batch(batch: Sequence[LoadedUnit]) -> None:
        try:
            await started(batch)
        except asyncio.CancelledError:
            if batch[0].unit.index not in leftover.moved:
                leftover.unstarted.extend(item.unit.index for item in batch)
            raise

    async def started(batch: Sequence[LoadedUnit]) -> None:
        async with limit.turn(run.record.job_id, run.job.weight):
            if not unbegun.begin(batch):
                return
            if held.halted or runtime.stopping():
                leftover.unstarted.extend(item.unit.index for item in batch)
                return
            ends = await _run_batch(runtime, run, held, batch, tries)
            reach("worker_after_call")
            for item, end in ends:
                runtime.settler.put(held, end.outcomes, end.attempts)
                leftover.take(item.unit.index, end)
                reason = end.pause
                if run.capability.queue == "model":
                    reason = reason or runtime.breakers.note(run.record.job_id, end)
                if reason and not reasons:
                    reasons.append(reason)
                    held.pause()
                    group.create_task(runtime.pause(held.shard, reason))

    async def give(units: list[int]) -> None:
        if not await runtime.split(held.shard, units):
            leftover.moved.difference_update(units)
            leftover.unstarted.extend(units)

    def give_back() -> None:
        if not held.halted and (units := unbegun.give_all()):
            leftover.moved.update(units)
            group.create_task(give(units))

    async with asyncio.TaskGroup() as group:  # ends when pause and split are written, too
        tasks = [group.create_task(one_batch(batch)) for batch in batches]
        held.when_slow(lambda: _soon(runtime.loop, give_back))
        held.when_over(lambda: _cancel(runtime.loop, tasks))
    leftover.unstarted.sort()
    return leftover


def _soon(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(work)


def _cancel(loop: asyncio.AbstractEventLoop, tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        loop.call_soon_threadsafe(task.cancel)


def _batches(run: StageRun, loaded: Sequence[LoadedUnit]) -> Iterator[Sequence[LoadedUnit]]:
    """Small units share a call to a child, packed ones a call to a model; else one by one."""
    size = run.pack
    if run.capability.runs == "process" and run.spec.unit.single_row:
        size = UNITS_PER_CHILD_CALL
    for start in range(0, len(loaded), size):
        yield loaded[start : start + size]


async def _run_batch(
    runtime: Runtime, run: StageRun, held: HeldShard, batch: Sequence[LoadedUnit],
    tries: Mapping[int, Tries],
) -> list[tuple[LoadedUnit, UnitEnd]]:  # fmt: skip
    if run.pack > 1 and len(batch) > 1:
        return await _run_pack(runtime, run, held, batch, tries)
    if run.capability.runs == "process":
        calls = [call for item in batch for call in _calls(run, item, _of(tries, item), None)]
        answers = await attempt_in_child(runtime.children, run, calls)
        return _ends(runtime, run, batch, tries, answers)
    return [(item, await _run_on_loop(runtime, run, held, item, tries)) for item in batch]


async def _run_on_loop(
    runtime: Runtime, run: StageRun, held: HeldShard, item: LoadedUnit,
    tries: Mapping[int, Tries],
) -> UnitEnd:  # fmt: skip
    ask = _ask(runtime, run, held, _of(tries, item))
    calls = _calls(run, item, _of(tries, item), ask)
    answers = list(await asyncio.gather(*(attempt_on_loop(run, *call) for call in calls)))
    judged = await _judged(runtime, run, item, ask, answers)
    usage = ask.account.to_json() if ask else None
    return end_of(
        run, item, _of(tries, item), answers, usage, runtime.settings.output_max_bytes, judged
    )


async def _run_pack(
    runtime: Runtime, run: StageRun, held: HeldShard, batch: Sequence[LoadedUnit],
    tries: Mapping[int, Tries],
) -> list[tuple[LoadedUnit, UnitEnd]]:  # fmt: skip
    """Several units in one call; each keeps its own outcome, and its share of what it cost."""
    ask = _ask(runtime, run, held, _of(tries, batch[0]))
    contexts = [context_of(run, item.unit, _of(tries, item).made + 1, 0, ask) for item in batch]
    answers = await attempt_pack(run, [item.unit for item in batch], contexts)
    shares = ask.account.share(len(batch)) if ask else []
    limit = runtime.settings.output_max_bytes
    return [
        (item, end_of(run, item, _of(tries, item), [answer], share.to_json(), limit))
        for item, answer, share in zip(batch, answers, shares, strict=True)
    ]


async def _judged(
    runtime: Runtime, run: StageRun, item: LoadedUnit, ask: UnitAsk | None,
    answers: Sequence[Answer],
) -> Agreed | Failure | None:  # fmt: skip
    """One more call decides between replicas that differ, where the plan wants a judge."""
    if run.spec.agree != "judge" or run.spec.replicas == 1 or ask is None:
        return None
    limit = runtime.settings.output_max_bytes
    checked = [checked_rows(run, item.unit, answer, limit) for answer in answers]
    return await judge(ask, run, item.unit, checked)


def _ends(
    runtime: Runtime, run: StageRun, batch: Sequence[LoadedUnit], tries: Mapping[int, Tries],
    answers: Sequence[Answer],
) -> list[tuple[LoadedUnit, UnitEnd]]:  # fmt: skip
    step, limit = run.spec.replicas, runtime.settings.output_max_bytes
    return [
        (
            item,
            end_of(run, item, _of(tries, item), answers[no * step : no * step + step], None, limit),
        )
        for no, item in enumerate(batch)
    ]


def _calls(
    run: StageRun, item: LoadedUnit, tries: Tries, ask: UnitAsk | None
) -> list[tuple[Unit, Context]]:
    return [
        (item.unit, context_of(run, item.unit, tries.made + 1, replica, ask))
        for replica in range(run.spec.replicas)
    ]


def _ask(runtime: Runtime, run: StageRun, held: HeldShard, tries: Tries) -> UnitAsk | None:
    if run.capability.queue != "model":
        return None
    purse = runtime.purses.of(run.record.job_id)
    return ask_of(runtime.door, run, held, tries, purse, runtime.stopping)


def _of(tries: Mapping[int, Tries], item: LoadedUnit) -> Tries:
    return tries.get(item.unit.index, _NEVER)


_NEVER = Tries()
