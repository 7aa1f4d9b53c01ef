"""Claims one shard, runs its units, settles them and passes on what is left."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.worker.child_pool import raised
from services.worker.held import HeldShard, HeldShards
from services.worker.load_units import LoadedUnit, check_unit_size, load_units
from services.worker.project_tools import check_tools
from services.worker.reuse import Work, look_up, reused
from services.worker.run_units import Leftover, Runtime, run_units
from services.worker.settler import Settler
from services.worker.stage_run import StageRun, StageRuns
from shared.capabilities.contract import Capability
from shared.database import shards
from shared.database.engine import DBAPIError, Engine, PoolTimeout, retrying
from shared.database.shards import Tries
from shared.domain.outcome import Settled
from shared.log import get_logger
from shared.settings import Settings


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
    shard_ended: Callable[[str], None]


def run_shard(worker: Worker, shard_id: int) -> None:
    """Claim the shard if it is still due and run it; a message that comes twice does nothing."""
    with worker.engine.connect() as connection:
        alone = shards.is_alone(connection, shard_id)
    with worker.held.turn(alone=alone):
        if worker.runtime.stopping():
            return
        shard = _claim(worker, shard_id, alone)
        if shard is None:
            return
        held = worker.held.add(shard)
        try:
            _work(worker, held)
        finally:
            worker.held.remove(held)
    worker.shard_ended(shard.job_id)


def _claim(worker: Worker, shard_id: int, alone: bool) -> shards.ShardRecord | None:
    return retrying(
        worker.engine,
        lambda tx: shards.claim(
            tx, shard_id, worker.id, list(worker.capabilities), worker.settings.lease_s,
            may_be_alone=alone,
        ),
        for_s=worker.settings.lease_s,
    )  # fmt: skip


def _work(worker: Worker, held: HeldShard) -> None:
    shard = held.shard
    log = get_logger(job_id=shard.job_id, shard_id=shard.id, fence=shard.fence)
    log.debug("shard_claimed", units=shard.unit_count)
    with worker.engine.connect() as connection:
        settled = shards.settled_units(connection, shard)
        tries = shards.tries_of(connection, shard)
    wanted = [unit for unit in shard.units if unit not in settled]
    leftover = _run_or_fail(worker, held, wanted, tries)
    worker.settler.flush(held)
    if held.lost:
        log.info("shard_let_go")
    elif leftover.unstarted:
        retrying(worker.engine, lambda tx: shards.release(tx, shard.id, shard.fence))
        log.info("shard_released", units=len(leftover.unstarted))
    else:
        retrying(
            worker.engine,
            lambda tx: shards.finish(tx, shard.id, shard.fence, leftover.postponed),
        )
        log.debug("shard_done", postponed=len(leftover.postponed))


def _run_or_fail(
    worker: Worker, held: HeldShard, wanted: list[int], tries: dict[int, Tries]
) -> Leftover:
    """Run the units; an error of ours becomes the outcome of those without one, never a loop."""
    try:
        return _run(worker, held, wanted, tries)
    except (DBAPIError, PoolTimeout):
        raise  # Postgres is away: the lease runs out and the shard comes back
    except Exception as error:  # noqa: BLE001 - the second place that turns an error into an outcome
        told = raised(error)
        code = "worker_error" if told.code == "capability_error" else told.code
        if code == "worker_error":
            get_logger(shard_id=held.shard.id).error("shard_failed", exc_info=True)
        failed = [Settled(unit, "failed", 1, code=code, detail=told.detail) for unit in wanted]
        worker.settler.put(held, failed)  # a unit that did settle keeps its outcome
        return Leftover()


def _run(worker: Worker, held: HeldShard, wanted: list[int], tries: dict[int, Tries]) -> Leftover:
    run = worker.stages.get(held.shard.stage_id)
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
    orphans = []
    for runner, twins in work.twins.items():
        rows = leftover.succeeded.get(runner)
        if rows is None:
            orphans += twins
        else:
            worker.settler.put(held, [reused(run, twin, rows) for twin in twins])
    return orphans
