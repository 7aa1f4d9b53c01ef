"""Celery's tasks of the planner: decode, drop into an inbox, end."""

from typing import Any

from celery import Celery

from shared.broker.inbox import Inbox
from shared.log import get_logger
from shared.messages.dispatch_job import DispatchJob
from shared.messages.envelope import MalformedMessage
from shared.messages.plan_job import PlanJob


def register(app: Celery, plan_inbox: Inbox, dispatch_inbox: Inbox) -> None:
    """Define the tasks on `app`; a malformed message is logged and dropped."""

    @app.task(name=PlanJob.NAME)
    def plan_job(message: Any = None) -> None:
        try:
            plan_inbox.put(PlanJob.decode(message).job_id)
        except MalformedMessage as error:
            get_logger().warning("message_refused", message=PlanJob.NAME, error=str(error))

    @app.task(name=DispatchJob.NAME)
    def dispatch_job(message: Any = None) -> None:
        try:
            dispatch_inbox.put(DispatchJob.decode(message).job_id)
        except MalformedMessage as error:
            get_logger().warning("message_refused", message=DispatchJob.NAME, error=str(error))
