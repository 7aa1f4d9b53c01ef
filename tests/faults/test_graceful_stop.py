"""SIGTERM: what is in flight ends or is handed back, leases are free at once, nothing is lost."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.accounts import assert_ledger_adds_up
from tests.stack import Stack

pytestmark = pytest.mark.long

GRACE = {"APWA_STOP_GRACE_S": "6", "APWA_SHARD_SIZE": "10", "APWA_LOOP_CONCURRENCY": "8"}
UNITS = 200


@pytest.fixture
def model(tmp_path: Path) -> Iterator[FakeModel]:
    with FakeModel(tmp_path) as made:
        yield made


def test_a_worker_told_to_stop_ends_its_calls_and_frees_its_leases(
    make_stack: Callable[..., Stack], model: FakeModel
) -> None:
    # given two workers whose calls take half a second
    model.change(latency_ms={"fixed": 500})
    stack = stack_with(make_stack, model)
    job_id = stack.submit(job())
    leaving = stack.processes["worker"].pop(0)
    eventually(lambda: held_by(stack, leaving.pid) >= 1 and len(model.calls()) > 20, within=30)

    # when one is told to stop in the middle
    os.kill(leaving.pid, signal.SIGTERM)

    # then it is gone in order, holds nothing, and no row was called twice
    assert leaving.wait(20) == 0
    assert held_by(stack, leaving.pid) == 0
    assert_each_row_once(stack, job_id)
    assert Counter(len(call.markers) for call in model.calls()) == {1: UNITS}
    assert lost(stack) == 0


def test_calls_that_outlast_the_grace_are_handed_back(
    make_stack: Callable[..., Stack], model: FakeModel
) -> None:
    # given calls that take longer than a stop may
    model.change(latency_ms={"fixed": 60_000})
    stack = stack_with(make_stack, model)
    job_id = stack.submit(job())
    pids = [one.pid for one in stack.processes["worker"]]
    eventually(lambda: all(held_by(stack, pid) for pid in pids), within=30)

    # when both workers are told to stop
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    assert [one.wait(20) for one in stack.processes["worker"]] == [0, 0]

    # then no lease waits for its end, and the next workers do the work
    assert stack.scalar("SELECT count(*) FROM shards WHERE status = 'running'") == 0
    model.change(latency_ms={})
    stack.processes["worker"] = []
    stack.start("worker", 2)
    assert_each_row_once(stack, job_id)
    assert lost(stack) == 0


def stack_with(make_stack: Callable[..., Stack], model: FakeModel) -> Stack:
    made = make_stack(
        OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-test", APWA_MODEL="fake", **GRACE
    )
    return made.start_all(workers=2)


def job() -> dict[str, Any]:
    stage = {
        "name": "labels", "over": "tickets", "unit": {"rows": 1}, "capability": "llm",
        "timeout_s": 120,
        "template": {"instructions": "Label the ticket.", "input": "{{ text }}"},
        "output": {"type": "object", "properties": {"label": {"type": "string"}},
                   "required": ["label"]},
    }  # fmt: skip
    rows = [{"id": number, "text": f"Ticket MARK-{number:05d}."} for number in range(UNITS)]
    return {
        "plan": {"version": 1, "stages": [stage], "result": {"table": "labels"}},
        "inputs": {"tickets": {"rows": rows, "key": "id"}},
    }


def held_by(stack: Stack, pid: int) -> int:
    return int(
        stack.scalar(
            """SELECT count(*) FROM shards s JOIN workers w ON w.id = s.worker_id
              WHERE w.pid = %s AND s.status = 'running'""",
            pid,
        )
    )


def assert_each_row_once(stack: Stack, job_id: str) -> None:
    ended = stack.wait(job_id, within=90)
    assert ended["status"] == "succeeded", (ended, stack.logs("worker")[-3000:])
    assert [row["id"] for row in stack.results(job_id)] == list(range(UNITS))
    assert_ledger_adds_up(stack, job_id)


def lost(stack: Stack) -> int:
    return int(stack.scalar("SELECT count(*) FROM shard_deliveries WHERE ending = 'lost'"))
