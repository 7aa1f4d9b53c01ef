"""Claims one shard, runs its units, settles them and passes on what is left."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from services.worker.child_pool import raised
from services.worker.held import HeldShard, HeldShards
from services.worker.load_units import LoadedUnit, check_unit_size, load_units
from services.worker.origins import Origins
from services.worker.project_tools import check_tools
from services.worker.reuse import Work, look_up, reused
from services.worker.run_units import Leftover, Runtime, run_units
from services.worker.settler import Settler
from services.worker.stage_run import StageRun, StageRuns
from shared.capabilities.contract import Capability
from shared.database import shards
from shared.database.engine import (
    Connection,
    DBAPIError,
    Engine,
    PoolTimeout,
    is_transient,
    retrying,
)
from shared.database.shards import Tries
from shared.domain.outcome import Settled
from shared.log import get_logger
from shared.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker process; `shard_ended(job_id)` rings who waits for finished shards."""

    id: str
    engine: Engine
    settings: Settings
    capabilities: Mapping[str, Capability]
    held: HeldShards
    stages: StageRuns
    settler: Settler
    runtime: Runtime
    origins: Origins
    shard_ended: Callable[[str], None]


def run_shard(worker: Worker, shard_id: int, *, spare: bool = False) -> bool:
    """Claim the shard if it is still due and run it; a message that comes twice does nothing.

    Returns True when it was claimed here. `spare`: it may run in a spare slot.
    """
    alone = retrying(
        worker.engine, lambda tx: shards.is_alone(tx, shard_id), for_s=worker.settings.lease_s
    )
    with worker.held.turn(alone=alone, spare=spare):
        if worker.runtime.stopping():
            return False
        shard = _claim(worker, shard_id, alone)
        if shard is None:
            return False
        held = worker.held.add(shard)
        try:
            with worker.origins.bound(shard.job_id):
                _work(worker, held)
        finally:
            worker.held.remove(held)
    worker.shard_ended(shard.job_id)
    return True


def _claim(worker: Worker, shard_id: int, alone: bool) -> shards.ShardRecord | None:
    """Claim in one transaction; after a COMMIT whose answer was lost the shard may be ours unseen.

    Then it goes back to the queue at once instead of waiting for the end of its lease.
    """
    tries = 0

    def claim(tx: Connection) -> shards.ShardRecord | None:
        nonlocal tries
        tries += 1
        got = shards.claim(
            tx, shard_id, worker.id, list(worker.capabilities), worker.settings.lease_s,
            may_be_alone=alone,
        )  # fmt: skip
        if got is None and tries > 1 and not worker.held.has(shard_id):
            shards.release_unseen(tx, shard_id, worker.id)
        return got

    return retrying(worker.engine, claim, for_s=worker.settings.lease_s)


def _work(worker: Worker, held: HeldShard) -> None:
    shard = held.shard
    log = get_logger(job_id=shard.job_id, shard_id=shard.id, fence=shard.fence)
    log.debug("shard_claimed", units=shard.unit_count)
    settled, tries = _while_held(worker, held, lambda tx: _before(tx, shard))
    wanted = [unit for unit in shard.units if unit not in settled]
    leftover = _run_or_fail(worker, held, wanted, tries)
    worker.settler.flush(held)
    if held.lost:
        log.info("shard_let_go")
    elif leftover.unstarted:
        _while_held(worker, held, lambda tx: shards.release(tx, shard.id, shard.fence))
        log.info("shard_released", units=len(leftover.unstarted))
    else:
        _while_held(
            worker, held,
            lambda tx: shards.finish(tx, shard.id, shard.fence, leftover.postponed),
        )  # fmt: skip
        log.debug("shard_done", postponed=len(leftover.postponed))


def _before(tx: Connection, shard: shards.ShardRecord) -> tuple[set[int], dict[int, Tries]]:
    return shards.settled_units(tx, shard), shards.tries_of(tx, shard)


def _while_held(worker: Worker, held: HeldShard, work: Callable[[Connection], T]) -> T:
    """Run `work` until Postgres took it; the lease alone says when to give up."""
    return retrying(worker.engine, work, until=lambda: held.lost)


def _run_or_fail(
    worker: Worker, held: HeldShard, wanted: list[int], tries: dict[int, Tries]
) -> Leftover:
    """Run the units; an error of ours becomes the outcome of those without one, never a loop.

    When Postgres is away what ended is kept until it is back, and the rest released then.
    """
    try:
        return _run(worker, held, wanted, tries)
    except Exception as error:  # the second place that turns an error into an outcome
        if is_transient(error):
            get_logger(shard_id=held.shard.id).warning("shard_interrupted", exc_info=True)
            return Leftover(unstarted=wanted)
        if isinstance(error, (DBAPIError, PoolTimeout)):
            raise  # the lease runs out; a shard that does this again and again is isolated
        told = raised(error)
        code = "worker_error" if told.code == "capability_error" else told.code
        if code == "worker_error":
            get_logger(shard_id=held.shard.id).error("shard_failed", exc_info=True)
        failed = [Settled(unit, "failed", 1, code=code, detail=told.detail) for unit in wanted]
        worker.settler.put(held, failed)  # a unit that did settle keeps its outcome
        return Leftover()


def _run(worker: Worker, held: HeldShard, wanted: list[int], tries: dict[int, Tries]) -> Leftover:
    end_row = held.shard.first_row + held.shard.row_count
    run = worker.stages.get(held.shard.stage_id, end_row)
    check_tools(worker.engine, run)
    check_unit_size(run, held.shard, worker.settings.unit_max_bytes)
    loaded = load_units(worker.engine, run, held.shard, wanted)
    work = look_up(worker.engine, run, loaded, tries)
    worker.settler.put(held, work.known)
    leftover = _on_loop(worker, run, held, work.to_run, tries)
    orphans = _settle_twins(worker, run, held, work, leftover)
    if orphans:  # what their runner came to is no answer for them: they run themselves
        leftover.add(_on_loop(worker, run, held, orphans, tries))
    return leftover


def _on_loop(
    worker: Worker, run: StageRun, held: HeldShard, loaded: list[LoadedUnit],
    tries: dict[int, Tries],
) -> Leftover:  # fmt: skip
    return asyncio.run_coroutine_threadsafe(
        run_units(worker.runtime, run, held, loaded, tries), worker.runtime.loop
    ).result()


def _settle_twins(
    worker: Worker, run: StageRun, held: HeldShard, work: Work, leftover: Leftover
) -> list[LoadedUnit]:
    """Give twins the answer of their runner; return those whose runner has none."""
    orphans: list[LoadedUnit] = []
    for runner, twins in work.twins.items():
        rows = leftover.succeeded.get(runner)
        if runner in leftover.moved and _split(worker, held, twins):
            continue  # they follow their runner
        if rows is None:
            orphans += twins
        else:
            worker.settler.put(held, [reused(run, twin, rows) for twin in twins])
    return orphans


def _split(worker: Worker, held: HeldShard, twins: list[LoadedUnit]) -> bool:
    shard, units = held.shard, sorted(twin.unit.index for twin in twins)
    return _while_held(worker, held, lambda tx: shards.split_off(tx, shard.id, shard.fence, units))
