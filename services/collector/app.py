"""Wires the collector: Celery receives, threads collect, rescue and sweep."""

import os
import socket

from services.collector import tasks
from services.collector.after_outage import AfterOutage
from services.collector.audit import audit
from services.collector.collect_job import Collector, collect_job
from services.collector.looks import Bells, erase, look_for_lost, sweep_hourly
from services.collector.start_triggered import start_triggered
from services.collector.sweep import HOUR_S
from shared.actions.note_trouble import forget_trouble, note_trouble
from shared.broker.app import consume, make_app
from shared.broker.inbox import Inbox
from shared.broker.loop import run_when_rung
from shared.broker.ring import Ringer
from shared.database import jobs
from shared.database.engine import connect
from shared.log import configure_logging
from shared.messages.collect_job import CollectJob
from shared.messages.deliver_events import DeliverEvents
from shared.messages.dispatch_job import DispatchJob
from shared.messages.plan_job import PlanJob
from shared.seams import arm
from shared.settings import load_settings

COLLECTING_THREADS = 2
JOBS_IN_ONE_LOOK = 50
AUDIT_S = 60.0


def main() -> None:
    """Run the collector until it is told to stop."""
    settings = load_settings()
    arm(settings.faults)
    configure_logging(settings, "collector")
    engine = connect(
        settings.sqlalchemy_url, pool_size=settings.db_pool_size, application_name="apwa-collector",
        idle_in_transaction_s=settings.lease_s,
    )  # fmt: skip
    celery = make_app("collector", settings.redis_url, threads=2, grace_s=settings.stop_grace_s)
    inbox, timers, erasures, ringer = Inbox(), Inbox(), Inbox(), Ringer(celery)
    posted = Inbox()
    outage = AfterOutage(settings.lease_s, settings.heartbeat_s)
    collector = Collector(
        engine=engine,
        settings=settings,
        ring_planner=lambda job_id: ringer.ring(PlanJob(job_id)),
        ring_notifier=lambda job_id: ringer.ring(DeliverEvents(job_id)),
    )

    bells = Bells(
        collect=inbox.put,
        dispatch=lambda job_id: ringer.ring(DispatchJob(job_id)),
        plan=collector.ring_planner,
    )

    def collect_rung(job_id: str) -> None:
        try:
            collect_job(collector, job_id)
        except Exception as error:
            note_trouble(engine, job_id, "collect", error)
            raise
        forget_trouble(engine, job_id, "collect")

    def look_for_jobs() -> None:
        with engine.connect() as connection:
            due = jobs.due_for_collecting(connection, JOBS_IN_ONE_LOOK)
        for job_id in due:
            inbox.put(job_id)

    def rescue() -> None:
        look_for_lost(collector, outage, bells)

    def sweep_late() -> None:
        sweep_hourly(engine, settings)

    def erase_left() -> None:
        erase(engine)

    def start_posted() -> None:
        start_triggered(engine, settings, collector.ring_planner)

    def look_for_breaches() -> None:
        audit(engine)

    tasks.register(celery, inbox)
    threads = [
        run_when_rung("collect", inbox, settings.collector_poll_s, collect_rung, look_for_jobs)
        for _ in range(COLLECTING_THREADS)
    ]
    threads.append(run_when_rung("rescue", timers, settings.rescue_poll_s, lambda _: None, rescue))
    threads.append(
        run_when_rung(
            "erase", erasures, settings.rescue_poll_s, lambda _: None,
            erase_left,
        )
    )  # fmt: skip
    threads.append(
        run_when_rung(
            "posted", posted, settings.collector_poll_s, lambda _: None,
            start_posted,
        )
    )  # fmt: skip
    threads.append(run_when_rung("audit", timers, AUDIT_S, lambda _: None, look_for_breaches))
    threads.append(run_when_rung("sweep", timers, HOUR_S, lambda _: None, sweep_late))
    try:
        consume(celery, [CollectJob.QUEUE], f"collector-{os.getpid()}@{socket.gethostname()}")
    finally:
        for box in (inbox, timers, erasures, posted):
            box.close()
        for thread in threads:
            thread.join(settings.stop_grace_s)
        ringer.close()
        engine.dispose()
