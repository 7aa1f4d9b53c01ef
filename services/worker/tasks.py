"""Celery's task of the worker: decode, run, end."""

from collections.abc import Callable
from typing import Any

from celery import Celery

from shared.log import get_logger
from shared.messages.envelope import MalformedMessage
from shared.messages.run_shard import RunShard


def register(app: Celery, run: Callable[[int], None]) -> None:
    """Define the task on `app`; a malformed message is logged and dropped."""

    @app.task(name=RunShard.NAME)
    def run_shard(message: Any = None) -> None:
        try:
            shard_id = RunShard.decode(message).shard_id
        except MalformedMessage as error:
            get_logger().warning("message_refused", message=RunShard.NAME, error=str(error))
            return
        run(shard_id)
