"""Clients that keep posting jobs while Postgres fails, and what must hold of them afterwards."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.accounts import assert_each_unit_once
from tests.faults.model_jobs import calls_by_marker, labels_of, tickets
from tests.stack import Answer, Stack

ROWS = 40  # of each job
STORED = "SELECT count(*) FROM jobs"


@dataclass
class Load:
    """Posts jobs from a thread, `under_way` at a time, each under its key until it is answered.

    A job that was answered is acknowledged: `jobs` maps its key to every id its key was told.
    """

    stack: Stack
    name: str
    under_way: int = 2
    rows: int = ROWS
    jobs: dict[str, set[str]] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    refused: list[Answer] = field(default_factory=list)
    full: list[Answer] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stored_before = self.stack.scalar(STORED)
        self._ended = threading.Event()
        self._final: set[str] = set()
        self._thread = threading.Thread(target=self._post_always, daemon=True)
        self._thread.start()

    def end(self, within: float = 60.0) -> list[dict[str, Any]]:
        """Post no more; return all jobs once they are final."""
        self._ended.set()
        self._thread.join(within)
        assert not self._thread.is_alive()
        for key in list(self.jobs):  # and each key still means its one job
            eventually(lambda key=key: self._post(key), within=within)
        return [self.stack.wait(job_id, within) for ids in self.jobs.values() for job_id in ids]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer | None:
        """Send a request; None when nobody listens. Every answer is noted."""
        began = time.monotonic()
        try:
            answer = self.stack.request(method, path, body, headers or None)
        except (OSError, http.client.HTTPException):
            return None
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self.answers[answer.status] += 1
        if answer.status == 503:
            self.refused.append(answer)
        if answer.status == 507:
            self.full.append(answer)
        if answer.status not in {200, 202, 409, 503, 507}:
            self.wrong.append(answer.body.decode())
        return answer

    def _post_always(self) -> None:
        number = 0
        while not self._ended.is_set():
            if len(self.jobs) - len(self._final) < self.under_way:
                number += self._post(f"{self.name}-{number}")
            else:
                self._look()
            self._ended.wait(0.05)

    def _post(self, key: str) -> bool:
        first = int(key.rpartition("-")[2]) * self.rows
        body = labels_of(tickets(self.rows, first=first))
        answer = self.ask("POST", "/v1/jobs", body, **{"Idempotency-Key": key})
        if answer is None or answer.status != 202:
            return False
        self.jobs.setdefault(key, set()).add(answer.json["id"])
        return True

    def _look(self) -> None:
        for job_id, *_ in list(self.jobs.values()):
            if job_id in self._final:
                continue
            answer = self.ask("GET", f"/v1/jobs/{job_id}")
            if answer is not None and answer.status == 200 and answer.json["finished_at"]:
                self._final.add(job_id)


def assert_nothing_lost(load: Load, model: FakeModel, jobs: list[dict[str, Any]]) -> int:
    """Each key made one job, each row one result; return how many calls were paid for again."""
    assert load.wrong == []
    assert all("Retry-After" in answer.headers for answer in load.refused)
    assert {len(ids) for ids in load.jobs.values()} == {1}
    assert load.stack.scalar(STORED) - load.stored_before == len(load.jobs)
    for job in jobs:
        assert_each_unit_once(load.stack, job, load.rows)
    calls = calls_by_marker(model)
    assert len(calls) == len(jobs) * load.rows
    return calls.total() - len(calls)


def busy(model: FakeModel) -> Callable[[], bool]:
    """Whether the model is being called at this moment."""
    return lambda: model.stats()["in_flight"] > 0


def idle(model: FakeModel) -> Callable[[], bool]:
    """Whether no call is under way."""
    return lambda: model.stats()["in_flight"] == 0
