"""The Celery application of a service: JSON only, no result backend, early acknowledgement."""

import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

from celery import Celery
from celery.platforms import EX_FAILURE
from celery.signals import setup_logging, worker_init, worker_shutting_down

from shared.log import get_logger

AGAIN_S = 1.0
STOP_S = 1.0  # what Celery gets beyond the grace to end itself
__all__ = ["SHARD_QUEUES", "Celery", "consume", "make_app"]

SHARD_QUEUES = {"cpu": "shards.cpu", "model": "shards.model"}


def make_app(service: str, redis_url: str, *, threads: int = 1, grace_s: float = 10.0) -> Celery:
    """Return the application; nothing connects until it publishes or consumes.

    Every timeout is bounded: publishing to a hung Redis must end (measured: it blocks for ever
    without `socket_timeout`). Gossip and mingle are off on the worker's command line; remote
    control stays on, or a busy worker never reconnects after a Redis restart.
    """
    app = Celery(f"apwa.{service}", broker=redis_url, set_as_current=False)
    app.conf.update(
        broker_transport="shared.broker.transport:Transport",
        task_serializer="json",
        accept_content=["json"],
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue=service,
        task_create_missing_queues=True,
        worker_pool="threads",
        worker_concurrency=threads,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_soft_shutdown_timeout=grace_s,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "socket_timeout": 10,
            "socket_connect_timeout": 3,
            "health_check_interval": 10,
            "unacked_restore_throttle": 1,
            "unacked_restore_interval": 5,
        },
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0.1},
        enable_utc=True,
    )
    setup_logging.connect(_keep_our_logging, weak=False)
    return app


def consume(app: Celery, queues: list[str], node: str) -> None:
    """Run the Celery worker in the main thread of this process until it is told to stop.

    What else ends it (kombu has races when a connection is lost) lets it begin anew: our threads
    work on without Redis meanwhile, and must not end with it. Told to stop, it returns within its
    grace and a moment: while Redis hangs Celery tries to reach it for minutes.
    """
    # It warns root because of pickle, which is refused here (accept_content is json alone).
    warnings.filterwarnings("ignore", message="You're running the worker with superuser")
    told, ran = threading.Event(), deque[Any](maxlen=1)
    grace_s = app.conf.worker_soft_shutdown_timeout

    def told_to_stop(**_: object) -> None:
        told.set()
        signal.setitimer(signal.ITIMER_REAL, grace_s + STOP_S, STOP_S)

    worker_shutting_down.connect(told_to_stop, weak=False)
    signal.signal(signal.SIGALRM, _stop_now)
    worker_init.connect(lambda sender, **_: ran.append(sender), weak=False)
    run: Callable[[list[str]], None] = app.worker_main  # it does return, whatever its stubs say
    try:
        while not told.is_set():
            run(_arguments(queues, node))
            if ran[0].exitcode != EX_FAILURE:
                return
            if not told.wait(AGAIN_S):
                get_logger().warning("consuming_again")
    except _Overdue:
        get_logger().warning("stopped_without_redis")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class _Overdue(BaseException):
    """The stop takes too long. No Exception: those are caught on the way, and tried again."""


def _stop_now(_signal: int, _frame: object) -> None:
    raise _Overdue


def _arguments(queues: list[str], node: str) -> list[str]:
    return [
        "--quiet",
        "worker",
        "--pool=threads",
        f"--queues={','.join(queues)}",
        f"--hostname={node}",
        "--without-gossip",
        "--without-mingle",
    ]


def _keep_our_logging(**_: object) -> None:
    """Stop Celery from configuring logs; `shared.log` did."""
