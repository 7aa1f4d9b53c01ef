"""Wires a worker: Celery's threads claim and wait, one event loop and child processes work."""

import asyncio
import os
import signal
import socket
import threading
from contextlib import suppress
from typing import Any

import uvloop
from celery.signals import worker_shutting_down

from services.worker import tasks
from services.worker.child_pool import ChildPool
from services.worker.ears import Ears, restart_this_process
from services.worker.fair_turns import FairTurns
from services.worker.heartbeat import beat
from services.worker.held import HeldShards
from services.worker.job_breakers import JobBreakers
from services.worker.mcp.publish import connect_servers
from services.worker.mcp.servers import mcp_servers
from services.worker.models import open_door, open_purses
from services.worker.origins import Origins
from services.worker.pause_job import pause_job
from services.worker.run_shard import Worker, run_shard
from services.worker.run_units import Runtime
from services.worker.settler import Settler
from services.worker.split_shard import split_shard
from services.worker.stage_run import StageRuns
from services.worker.starved import starved_jobs
from services.worker.stop_clock import abort_when_late
from services.worker.unheard import Unheard
from services.worker.watchdog import Watchdog
from shared.broker.app import SHARD_QUEUES, consume, make_app
from shared.broker.inbox import Inbox
from shared.broker.loop import run_when_rung
from shared.broker.ring import Ringer
from shared.capabilities.contract import Capability
from shared.capabilities.registry import discover, manifest_of
from shared.database import capabilities, shards, workers
from shared.database.engine import Connection, Engine, SQLAlchemyError, connect, retrying
from shared.domain.ids import new_id
from shared.llm.endpoints import Endpoints, endpoints_of
from shared.log import configure_logging, get_logger
from shared.messages.collect_job import CollectJob
from shared.messages.dispatch_job import DispatchJob
from shared.seams import arm
from shared.settings import Settings, load_settings

END_S = 5.0  # what a stop may take beyond its grace before the process ends itself


def main() -> None:
    """Run a worker until it is told to stop."""
    settings = load_settings()
    arm(settings.faults)
    configure_logging(settings, "worker")
    engine = connect(
        settings.sqlalchemy_url, pool_size=settings.db_pool_size, application_name="apwa-worker",
        idle_in_transaction_s=settings.lease_s,
    )  # fmt: skip
    endpoints, servers = endpoints_of(settings), mcp_servers()
    found = discover(with_models=bool(endpoints))
    for problem in found.problems:
        get_logger().warning("capability_left_out", problem=problem)
    celery = make_app(
        "worker", settings.redis_url, threads=settings.worker_slots, grace_s=settings.stop_grace_s
    )
    stopping, ringer, timers, again = threading.Event(), Ringer(celery), Inbox(), Inbox()
    worker = _make_worker(engine, settings, endpoints, found.capabilities, stopping, ringer)
    _introduce(worker)
    connect_servers(engine, worker.runtime.loop, servers)
    queues = sorted(SHARD_QUEUES.values())
    ears = Ears(
        settings.redis_url, queues, settings.worker_slots, settings.worker_deaf_s,
        restart_this_process,
    )  # fmt: skip
    watchdog = Watchdog(worker.runtime.loop, settings.lease_s)

    def heard(shard_id: int) -> None:
        with ears.hearing():
            run_shard(worker, shard_id)

    def due_unheard() -> list[int]:
        if stopping.is_set():
            return []
        with engine.connect() as connection:
            return shards.due_unheard(connection, list(worker.capabilities), worker.held.free)

    unheard = Unheard(
        due_unheard, lambda shard_id: run_shard(worker, shard_id), slots=settings.worker_slots,
        last_heard=lambda: ears.last_heard, silence_s=settings.worker_idle_claim_s, again=again,
    )  # fmt: skip
    starved, more = starved_jobs(worker, stopping.is_set)
    tasks.register(celery, heard)

    threads = [
        run_when_rung(
            "heartbeat", timers, settings.heartbeat_s, lambda _: None,
            lambda: beat(engine, worker.id, worker.held, worker.runtime.purses, settings.lease_s),
        ),
        run_when_rung("watchdog", timers, settings.heartbeat_s, lambda _: None, watchdog.pat),
        run_when_rung("ears", timers, settings.worker_deaf_s / 6, lambda _: None, ears.look),
        run_when_rung(
            "unheard", again, settings.worker_idle_claim_s / 2, lambda _: unheard.look(),
            unheard.look,
        ),
        run_when_rung(
            "starved", more, settings.dispatch_poll_s, lambda _: starved.look(), starved.look
        ),
    ]  # fmt: skip

    def told_to_stop(**_: object) -> None:
        stopping.set()
        watchdog.end_within(settings.stop_grace_s + END_S)

    def told_before_celery_listens(*_: object) -> None:
        told_to_stop()
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, told_before_celery_listens)  # shards may be claimed before then
    worker_shutting_down.connect(told_to_stop, weak=False)
    abort_when_late(stopping, worker.held, settings.stop_grace_s)
    try:
        consume(celery, queues, f"{worker.id}@{socket.gethostname()}")
    finally:
        _stop(worker, threads, [timers, again, more], [unheard, starved], ringer)


def _make_worker(
    engine: Engine, settings: Settings, endpoints: Endpoints, found: dict[str, Capability],
    stopping: threading.Event, ringer: Ringer,
) -> Worker:  # fmt: skip
    worker_id, held = new_id("wrk"), HeldShards(settings.worker_slots)
    settler = Settler(engine, worker_id, settings.settle_batch, settings.settle_ms / 1000)
    children = ChildPool(settings.worker_processes)
    loop = _start_loop()
    purses = open_purses(engine, settings, worker_id, endpoints)

    async def pause(shard: shards.ShardRecord, reason: dict[str, Any]) -> None:
        with held.halting(shard.job_id):
            await loop.run_in_executor(
                None, pause_job, engine, shard.job_id, shard.id, reason, settings.finish_settle_s
            )

    async def split(shard: shards.ShardRecord, units: list[int]) -> bool:
        moved = await loop.run_in_executor(None, split_shard, engine, shard, units)
        if moved:
            ringer.ring(DispatchJob(shard.job_id))
        return moved

    runtime = Runtime(
        settings=settings,
        settler=settler,
        children=children,
        loop=loop,
        door=open_door(engine, settings, worker_id, endpoints),
        purses=purses,
        breakers=JobBreakers(),
        in_flight=FairTurns(settings.loop_concurrency),
        in_children=FairTurns(2 * children.processes),
        stopping=stopping.is_set,
        pause=pause,
        split=split,
    )

    def shard_ended(job_id: str) -> None:
        ringer.ring(DispatchJob(job_id))
        ringer.ring(CollectJob(job_id))

    return Worker(
        id=worker_id,
        engine=engine,
        settings=settings,
        capabilities=found,
        held=held,
        stages=StageRuns(engine, found),
        settler=settler,
        runtime=runtime,
        origins=Origins(engine),
        shard_ended=shard_ended,
    )


def _start_loop() -> asyncio.AbstractEventLoop:
    loop = uvloop.new_event_loop()
    threading.Thread(target=loop.run_forever, name="event-loop", daemon=True).start()
    return loop


def _introduce(worker: Worker) -> None:
    """Write down this worker and the manifests of what it has, once Postgres answers."""
    manifests = [manifest_of(one).to_json() for one in worker.capabilities.values()]

    def write(tx: Connection) -> None:
        capabilities.publish(tx, manifests)
        workers.register(
            tx, worker.id, host=socket.gethostname(), pid=os.getpid(),
            capabilities=sorted(worker.capabilities), slots=worker.settings.worker_slots,
        )  # fmt: skip

    retrying(worker.engine, write, for_s=60.0)
    get_logger(worker_id=worker.id).info("worker_started", capabilities=sorted(worker.capabilities))


def _stop(
    worker: Worker, threads: list[threading.Thread], timers: list[Inbox], takers: list[Unheard],
    ringer: Ringer,
) -> None:  # fmt: skip
    """Let go in order: nothing new, what is settled is written, leases are free, then children."""
    for taker in takers:
        taker.close()
    worker.settler.close()
    worker.runtime.purses.close()
    for close, wait_s in ((worker.runtime.door.close, 5), (mcp_servers().close, 3)):
        with suppress(TimeoutError):  # what ends later ends with this process
            asyncio.run_coroutine_threadsafe(close(), worker.runtime.loop).result(wait_s)
    for timer in timers:
        timer.close()
    for thread in threads:
        thread.join(2.0)
    with suppress(SQLAlchemyError), worker.engine.begin() as tx:
        workers.sign_off(tx, worker.id)
    ringer.close()
    worker.runtime.children.close()
    worker.engine.dispose()
    get_logger(worker_id=worker.id).info("worker_stopped")
