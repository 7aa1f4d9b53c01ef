"""Wires the planner: Celery receives; threads plan and cut, ask the model, or dispatch."""

import os
import socket
import threading

from services.planner import tasks
from services.planner.cut_stream import cut_stream, due_streams
from services.planner.dispatch_job import dispatch_due
from services.planner.plan_job import Planner, plan_job
from services.planner.waits_for_input import waits_for_input
from services.planner.waits_for_model import waits_for_model
from shared.actions.note_trouble import forget_trouble, note_trouble
from shared.broker.app import consume, make_app
from shared.broker.canary import Canary
from shared.broker.inbox import Inbox
from shared.broker.loop import run_when_rung
from shared.broker.ring import Ringer
from shared.database import jobs, shards
from shared.database.engine import connect
from shared.llm.endpoints import endpoints_of
from shared.log import configure_logging, get_logger
from shared.messages.collect_job import CollectJob
from shared.messages.dispatch_job import DispatchJob
from shared.messages.plan_job import PlanJob
from shared.seams import arm
from shared.settings import load_settings

PLANNING_THREADS = 3
FETCH_THREADS = 6  # jobs one planner fetches inputs of at once; they wait, too
MODEL_THREADS = 16  # jobs one planner asks its model for at once; they wait, mostly
JOBS_IN_ONE_LOOK = 20
IDLE_S = 60.0
STREAM_LOOK_S = 0.05  # records of a stream are looked for no more often


def main() -> None:
    """Run the planner until it is told to stop."""
    settings = load_settings()
    arm(settings.faults)
    configure_logging(settings, "planner")
    engine = connect(
        settings.sqlalchemy_url, pool_size=settings.db_pool_size, application_name="apwa-planner",
        idle_in_transaction_s=settings.lease_s,
    )  # fmt: skip
    celery = make_app("planner", settings.redis_url, threads=2, grace_s=settings.stop_grace_s)
    plan_inbox, model_inbox, fetch_inbox = Inbox(), Inbox(), Inbox()
    dispatch_inbox, stream_inbox = Inbox(), Inbox()
    stopping = threading.Event()
    ringer, canary = Ringer(celery), Canary(settings.redis_url)
    planner = Planner(
        engine=engine,
        settings=settings,
        ring_dispatch=dispatch_inbox.put,
        ring_collect=lambda job_id: ringer.ring(CollectJob(job_id)),
        stopping=stopping.is_set,
    )

    def plan_rung(job_id: str) -> None:
        if waits_for_input(engine, job_id):
            fetch_inbox.put(job_id)
        elif waits_for_model(engine, settings, job_id):
            model_inbox.put(job_id)
        else:
            plan(job_id)

    def plan(job_id: str) -> None:
        try:
            done = plan_job(planner, job_id)
        except Exception as error:
            note_trouble(engine, job_id, "plan", error)
            raise
        if done:
            forget_trouble(engine, job_id, "plan")

    def look_for_jobs() -> None:
        with engine.connect() as connection:
            due = jobs.due_for_planning(connection, JOBS_IN_ONE_LOOK)
        for job_id in due:
            plan_inbox.put(job_id)

    def dispatch() -> None:
        if canary.redis_forgot():
            with engine.begin() as tx:
                forgotten = shards.forget_dispatches(tx)
            get_logger().warning("redis_came_back_empty", shards_due_again=forgotten)
        dispatch_due(engine, celery, settings)

    def cut_rung(job_id: str) -> None:
        try:
            cut = cut_stream(engine, settings, job_id)
        except Exception as error:
            note_trouble(engine, job_id, "cut", error)
            raise
        if cut:
            dispatch_inbox.put(job_id)
            forget_trouble(engine, job_id, "cut")

    def look_for_streams() -> None:
        for job_id in due_streams(engine, settings):
            stream_inbox.put(job_id)

    tasks.register(celery, plan_inbox, dispatch_inbox)
    threads = [
        run_when_rung("plan", plan_inbox, settings.planner_poll_s, plan_rung, look_for_jobs)
        for _ in range(PLANNING_THREADS)
    ]
    threads += [
        run_when_rung("plan-by-model", model_inbox, IDLE_S, plan, lambda: None)
        for _ in range(MODEL_THREADS if endpoints_of(settings) else 0)
    ]
    threads += [
        run_when_rung("fetch", fetch_inbox, IDLE_S, plan, lambda: None)
        for _ in range(FETCH_THREADS)
    ]
    threads.append(
        run_when_rung(
            "dispatch", dispatch_inbox, settings.dispatch_poll_s, lambda _: dispatch(), dispatch
        )
    )
    look_s = min(max(settings.stream_max_age_s / 4, STREAM_LOOK_S), settings.planner_poll_s)
    threads.append(run_when_rung("streams", stream_inbox, look_s, cut_rung, look_for_streams))
    try:
        node = f"planner-{os.getpid()}@{socket.gethostname()}"
        consume(celery, [PlanJob.QUEUE, DispatchJob.QUEUE], node)
    finally:
        stopping.set()  # what waits for a model is handed to another planner
        for inbox in (plan_inbox, model_inbox, fetch_inbox, dispatch_inbox, stream_inbox):
            inbox.close()
        for thread in threads:
            thread.join(settings.stop_grace_s)
        ringer.close()
        engine.dispose()
