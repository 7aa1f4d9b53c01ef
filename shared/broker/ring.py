"""Rings doorbells from a background thread: a hung or absent Redis delays nobody."""

import queue
import threading
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from shared.log import get_logger

BROKER_ERRORS = (OSError, KombuError, RedisError)


class Message(Protocol):
    """What `shared.messages` holds."""

    NAME: ClassVar[str]
    QUEUE: ClassVar[str]

    def encode(self) -> dict[str, Any]:
        """Return the JSON body."""
        ...


class Ringer:
    """Publishes messages after commit; at most `depth` wait, the rest is dropped.

    Dropping is safe: every service also looks at Postgres every few seconds.
    """

    def __init__(self, app: Celery, depth: int = 10_000) -> None:
        self._app = app
        self._waiting: queue.Queue[Message | None] = queue.Queue(depth)
        self._thread = threading.Thread(target=self._publish_all, name="ringer", daemon=True)
        self._thread.start()

    def ring(self, message: Message) -> None:
        """Hand a message to the background thread; never blocks, never raises."""
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            get_logger().warning("doorbell_dropped", message=message.NAME)

    def close(self, timeout_s: float = 2.0) -> None:
        """Publish what waits, for at most `timeout_s` seconds."""
        self._waiting.put(None)
        self._thread.join(timeout_s)

    def _publish_all(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                self._app.send_task(
                    message.NAME, kwargs={"message": message.encode()}, queue=message.QUEUE
                )
            except BROKER_ERRORS as error:
                get_logger().warning(
                    "doorbell_not_rung", message=message.NAME, error=type(error).__name__
                )


def publish_batch(app: Celery, messages: Iterable[tuple[Message, str]]) -> int:
    """Publish (message, queue) pairs over one connection; return how many went out.

    Raises one of BROKER_ERRORS when Redis is away; what was published stays published, and a
    message twice is harmless.
    """
    sent = 0
    with app.producer_pool.acquire(block=True, timeout=5) as producer:
        for message, queue_name in messages:
            app.send_task(
                message.NAME,
                kwargs={"message": message.encode()},
                queue=queue_name,
                producer=producer,
                retry=False,
            )
            sent += 1
    return sent
