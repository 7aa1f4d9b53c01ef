"""Celery's task of the notifier: decode, drop into the inbox, end."""

from typing import Any

from celery import Celery

from shared.broker.inbox import Inbox
from shared.log import get_logger
from shared.messages.deliver_events import DeliverEvents
from shared.messages.envelope import MalformedMessage


def register(app: Celery, inbox: Inbox) -> None:
    """Define the task on `app`; a malformed message is logged and dropped."""

    @app.task(name=DeliverEvents.NAME)
    def deliver_events(message: Any = None) -> None:
        try:
            inbox.put(DeliverEvents.decode(message).source_id)
        except MalformedMessage as error:
            get_logger().warning("message_refused", message=DeliverEvents.NAME, error=str(error))
