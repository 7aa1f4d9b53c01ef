"""Wires the notifier: Celery receives, one thread claims, one loop sends, one makes batches."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor

from services.notifier import tasks
from services.notifier.batch_news import batch_news
from services.notifier.deliver_event import Notifier
from services.notifier.sending import Sending
from shared.actions.webhook_address import webhook_guard
from shared.broker.app import consume, make_app
from shared.broker.inbox import Inbox
from shared.broker.loop import run_when_rung
from shared.database.engine import connect
from shared.log import configure_logging
from shared.messages.deliver_events import DeliverEvents
from shared.secret_box import SecretBox
from shared.settings import load_settings

ROOM = "room"  # rung by ourselves when a slot is free


def main() -> None:
    """Run the notifier until it is told to stop."""
    settings = load_settings()
    configure_logging(settings, "notifier")
    engine = connect(
        settings.sqlalchemy_url, pool_size=settings.db_pool_size, application_name="apwa-notifier",
        idle_in_transaction_s=settings.lease_s,
    )  # fmt: skip
    celery = make_app("notifier", settings.redis_url, threads=2, grace_s=settings.stop_grace_s)
    inbox, timer = Inbox(), Inbox()
    notifier = Notifier(
        engine=engine,
        settings=settings,
        guard=webhook_guard(settings),
        box=SecretBox(settings.secret_keys),
        writers=ThreadPoolExecutor(settings.db_pool_size, "write"),
    )
    sending = Sending(notifier, freed=lambda: inbox.put(ROOM))

    def make_batches() -> None:
        if batch_news(engine, settings.webhook_batch_s):
            inbox.put(ROOM)

    def rung(_source_id: str) -> None:
        sending.take_due()

    def look() -> None:
        sending.take_due()

    tasks.register(celery, inbox)
    look_s = min(settings.notifier_poll_s, settings.webhook_batch_s)
    threads = [
        run_when_rung("deliver", inbox, settings.notifier_poll_s, rung, look),
        run_when_rung("batch", timer, look_s, lambda _: None, make_batches),
    ]
    try:
        node = f"notifier-{os.getpid()}@{socket.gethostname()}"
        consume(celery, [DeliverEvents.QUEUE], node)
    finally:
        for box in (inbox, timer):
            box.close()
        sending.close(settings.stop_grace_s)
        for thread in threads:
            thread.join(settings.stop_grace_s)
        engine.dispose()
