"""Watches whether this worker still takes messages, and restarts it when it does not."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import redis

from shared.domain.hearing import Hearing
from shared.log import get_logger


class Ears:
    """Counts messages being handled; `look` compares them with what waits in the queues."""

    def __init__(
        self, redis_url: str, queues: list[str], threads: int, deaf_after_s: float,
        restart: Callable[[], None],
    ) -> None:  # fmt: skip
        self._client = redis.Redis.from_url(redis_url, socket_timeout=3, socket_connect_timeout=3)
        self._queues, self._threads, self._restart = queues, threads, restart
        self._hearing = Hearing(deaf_after_s, time.monotonic())
        self._handling, self._lock, self._told = 0, threading.Lock(), False
        self.last_heard = time.monotonic()

    @contextmanager
    def hearing(self) -> Iterator[None]:
        """A message is being handled."""
        with self._lock:
            self._handling += 1
            self.last_heard = time.monotonic()
            self._hearing.heard(self.last_heard)
        try:
            yield
        finally:
            with self._lock:
                self._handling -= 1

    def look(self) -> None:
        """Look once; a deaf worker says so in the log and is restarted in order."""
        waiting = self._waiting()
        with self._lock:
            deaf = self._hearing.look(
                time.monotonic(), waiting=waiting, could_take=self._handling < self._threads
            )
        if deaf and not self._told:
            self._told = True
            get_logger().error("worker_deaf", waiting=waiting)
            self._restart()

    def _waiting(self) -> int | None:
        try:
            return sum(int(self._client.llen(queue)) for queue in self._queues)
        except (redis.RedisError, OSError):
            return None


def restart_this_process() -> None:
    """End in order; whoever looks after this process (`apwa up`, Docker) starts it again."""
    os.kill(os.getpid(), signal.SIGTERM)
