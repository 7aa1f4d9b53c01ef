"""Everything is restarted in turn, under load: nothing fails, is lost, or is paid for twice."""

import http.client
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.accounts import assert_ledger_adds_up
from tests.faults.model_jobs import calls_by_marker, labels_of, model_settings, tickets
from tests.stack import Stack

pytestmark = pytest.mark.long

ROUNDS = int(os.environ.get("ROLLING_ROUNDS", "2"))
READY_S = 60.0  # for an api that is replaced while everything else works
ROWS = 20  # of each job
UNDER_WAY = 2  # jobs at once
IN_TURN = ("planner", "collector", "worker", "worker", "api")
COUNTED = {
    "name": "counted",
    "over": ["labels"],
    "unit": {"table": True},
    "capability": "sql",
    "params": {"query": "SELECT count(DISTINCT id) AS rows FROM labels"},
}


@pytest.fixture
def model(tmp_path: Path) -> Iterator[FakeModel]:
    with FakeModel(tmp_path, latency_ms={"fixed": 200}) as made:
        yield made


def test_a_rolling_restart_of_everything_under_load_fails_nothing(
    make_stack: Callable[..., Stack], model: FakeModel
) -> None:
    # given jobs that keep coming, of two stages each
    limits = {"APWA_SHARD_SIZE": "5", "APWA_LOOP_CONCURRENCY": "8", "APWA_STOP_GRACE_S": "8"}
    stack = make_stack(**model_settings(model), **limits).start_all(workers=2)

    # when each process in turn is told to stop and replaced, round after round, with calls
    # under way
    with Client(stack) as client:
        for _ in range(ROUNDS):
            start_replacements(stack)
            for role in IN_TURN:
                eventually(lambda: model.stats()["in_flight"] > 0, within=30, every=0.005)
                stop_oldest(stack, role)
    jobs = [stack.wait(job_id) for job_id in client.jobs]

    # then no unit failed, no claim was lost, and each row was called once
    lost = stack.scalar("SELECT count(*) FROM shard_deliveries WHERE ending = 'lost'")
    failed = sum(job["progress"]["failed"] for job in jobs)
    calls = calls_by_marker(model)
    print(
        f"\nrestarts {ROUNDS * len(IN_TURN)}, jobs {len(jobs)}, rows {len(jobs) * ROWS}, "
        f"failed {failed}, lost claims {lost}, calls {calls.total()}"
    )
    assert (failed, lost) == (0, 0)
    for job in jobs:
        assert job["status"] == "succeeded", job
        assert [row["rows"] for row in stack.results(job["id"])] == [ROWS]
        assert_ledger_adds_up(stack, job["id"])
    assert len(calls) == len(jobs) * ROWS
    assert {marker: count for marker, count in calls.items() if count > 1} == {}


class Client:
    """Keeps jobs under way from a thread, through every restart of the api."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._ended = stack, threading.Event()
        self.jobs: list[str] = []
        self._thread = threading.Thread(target=self._submit_always, daemon=True)

    def __enter__(self) -> "Client":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Submit no more, whatever happened."""
        self._ended.set()
        self._thread.join(READY_S)

    def _submit_always(self) -> None:
        final = "SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL"
        while not self._ended.is_set():
            if len(self.jobs) - self._stack.scalar(final) >= UNDER_WAY:
                self._ended.wait(0.1)
                continue
            number = len(self.jobs)
            body = labels_of(tickets(ROWS, first=number * ROWS), COUNTED)
            answer = eventually(
                lambda number=number, body=body: self._ask(number, body), within=READY_S
            )
            self.jobs.append(answer["id"])

    def _ask(self, number: int, body: dict[str, Any]) -> dict[str, Any] | None:
        try:
            answer = self._stack.post("/v1/jobs", body, **{"Idempotency-Key": f"rolling-{number}"})
        except (OSError, http.client.HTTPException):
            return None  # the api is being replaced
        told: dict[str, Any] = answer.json
        return told if answer.status == 202 else None


def start_replacements(stack: Stack) -> None:
    """Start another process for each, and wait until they are at work; not of the api.

    Two apis would want the one port.
    """
    before = {role: at_work(stack, role) for role in IN_TURN}
    for role in IN_TURN:
        if role != "api":
            stack.start(role)
    for role in IN_TURN:
        more = IN_TURN.count(role) if role != "api" else 0
        eventually(
            lambda role=role, more=more: at_work(stack, role) == before[role] + more, within=60
        )


def stop_oldest(stack: Stack, role: str) -> None:
    """Tell the oldest process of a role to stop and wait until it did, in order."""
    leaving = stack.processes[role].pop(0)
    os.kill(leaving.pid, signal.SIGTERM)
    assert leaving.wait(20) == 0
    if role == "api":
        stack.start(role)
        eventually(stack.is_ready, within=READY_S)


def at_work(stack: Stack, role: str) -> int:
    """How many processes of a role ever began to take messages."""
    return stack.logs(role).count(" ready.")
