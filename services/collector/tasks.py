"""Celery's task of the collector: decode, drop into the inbox, end."""

from typing import Any

from celery import Celery

from shared.broker.inbox import Inbox
from shared.log import get_logger
from shared.messages.collect_job import CollectJob
from shared.messages.envelope import MalformedMessage


def register(app: Celery, inbox: Inbox) -> None:
    """Define the task on `app`; a malformed message is logged and dropped."""

    @app.task(name=CollectJob.NAME)
    def collect_job(message: Any = None) -> None:
        try:
            inbox.put(CollectJob.decode(message).job_id)
        except MalformedMessage as error:
            get_logger().warning("message_refused", message=CollectJob.NAME, error=str(error))
