"""A worker that lives but takes no message restarts itself, and its work goes on meanwhile."""

from collections.abc import Callable

import pytest

from shared.broker.app import SHARD_QUEUES, Celery, make_app
from tests.eventually import eventually
from tests.faults.accounts import assert_ledger_adds_up, people
from tests.faults.test_kills import EXTRACT
from tests.stack import Stack

pytestmark = pytest.mark.long


def test_a_deaf_worker_ends_itself_and_loses_nothing(make_stack: Callable[..., Stack]) -> None:
    # given the only worker, which was made deaf: Celery lives, its queues are no longer read
    stack = make_stack(APWA_WORKER_DEAF_S="3", APWA_SHARD_SIZE="5").start_all(workers=1)
    [worker] = stack.processes["worker"]
    app = make_app("test", stack.valkey.url())
    for queue in SHARD_QUEUES.values():
        eventually(lambda queue=queue: stops_reading(app, queue), within=30)

    # when a job comes
    body = {"plan": EXTRACT, "inputs": {"people": {"rows": people(400), "key": "id"}}}
    job_id = stack.submit(body)

    # then it says so, ends in order, and the next one does the rest
    eventually(lambda: worker.poll() is not None, within=40)
    assert worker.returncode == 0
    assert '"event": "worker_deaf"' in stack.logs("worker")
    assert stack.scalar("SELECT count(*) FROM shards WHERE status = 'running'") == 0
    stack.processes["worker"] = []
    stack.start("worker")
    assert stack.wait(job_id)["status"] == "succeeded"
    assert_ledger_adds_up(stack, job_id)
    app.close()


def stops_reading(app: Celery, queue: str) -> bool:
    answers = app.control.cancel_consumer(queue, reply=True, timeout=2)
    return any(node.startswith("wrk_") for answer in answers for node in answer)
