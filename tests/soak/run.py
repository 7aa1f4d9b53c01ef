"""Submits, strikes, waits, checks: one seeded soak over one stack."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from services.cli.embedded.datastores import Datastores
from shared.database.engine import connect
from shared.database.invariants import breaches
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.soak.faults import Faults
from tests.soak.kinds import SoakJob, some_job
from tests.stack import Answer, Stack

AT_ONCE = 6  # jobs under way
NOT_NOW = {409, 503}  # a fault is on, or the first try is still being decided
SETTLES_S = 120.0  # the last jobs may take this long after the last fault


@dataclass
class SoakReport:
    """What a soak came to."""

    faults: dict[str, int] = field(default_factory=dict)
    jobs: Counter[str] = field(default_factory=Counter)
    units: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def soak(
    folder: Path,
    stores: Datastores,
    *,
    seed: int,
    seconds: float,
    pause_s: float,
    tell: Callable[[str], None] = lambda told: None,
) -> SoakReport:
    """Run for `seconds` with a fault about every `pause_s`; return what was wrong at the end.

    `stores` is crashed and restarted: nobody else may use it.
    """
    die, report = random.Random(seed), SoakReport()
    with FakeModel(folder, rates={"429": 0.02, "500": 0.02}, retry_after_s=0.2) as model:
        stack = Stack(folder, stores.create_database(), extra={
            "OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-test", "APWA_MODEL": "fake",
            "APWA_SHARD_SIZE": "20",
        })  # fmt: skip
        try:
            stack.start_all(workers=2)
            faults = Faults(stack, stores, die)
            _Soak(stack, faults, die, report, tell).run(seconds, pause_s)
            report.faults = faults.happened
        finally:
            stack.stop()
    return report


class _Soak:
    def __init__(
        self,
        stack: Stack,
        faults: Faults,
        die: random.Random,
        report: SoakReport,
        tell: Callable[[str], None],
    ) -> None:
        self.tell, self.since = tell, time.monotonic()
        self.stack, self.faults, self.die, self.report = stack, faults, die, report
        self.number, self.next = 0, some_job(die, 0)
        self.open: dict[str, SoakJob] = {}
        self.paused: set[str] = set()
        self.sent: Counter[str] = Counter()  # batches of records by job, each counted twice

    def run(self, seconds: float, pause_s: float) -> None:
        ends_at = time.monotonic() + seconds
        next_fault = time.monotonic() + pause_s
        while time.monotonic() < ends_at:
            if len(self.open) < AT_ONCE:
                self._submit()
            if time.monotonic() >= next_fault:
                self._say(self.faults.strike())
                next_fault = time.monotonic() + self.die.uniform(0.3, 1.7) * pause_s
            self._look()
            time.sleep(0.1)
        self._until_all_ended()
        self._check_database()

    def _submit(self) -> None:
        """Submit a job, the same one until it is answered: a lost answer may have stored it."""
        job = self.next
        answer = self._ask("POST", "/v1/jobs", job.body, f"soak-{self.number}")
        if answer is None or answer.status in NOT_NOW:
            return
        self.number += 1
        self.next = some_job(self.die, self.number)
        if answer.status != 202:
            told = answer.body.decode(errors="replace")[:300]
            self.report.problems.append(f"{job.kind} was not taken: {answer.status} {told}")
            return
        self.open[answer.json["id"]] = job
        self.report.jobs[job.kind] += 1

    def _look(self) -> None:
        for job_id, job in list(self.open.items()):
            answer = self._ask("GET", f"/v1/jobs/{job_id}")
            if answer is None or answer.status != 200:
                continue
            self._steer(job_id, job, answer.json)
            self._append(job_id, job)
            if answer.json["finished_at"]:
                self._end(job_id, job, answer.json)

    def _steer(self, job_id: str, job: SoakJob, shown: dict[str, Any]) -> None:
        if job.steer == "cancel" and shown["progress"]["succeeded"]:
            self._ask("POST", f"/v1/jobs/{job_id}/cancel")
        if shown["status"] == "paused":
            self._ask("POST", f"/v1/jobs/{job_id}/resume")
        elif job.steer == "pause" and job_id not in self.paused and shown["progress"]["succeeded"]:
            answer = self._ask("POST", f"/v1/jobs/{job_id}/pause")
            if answer is not None and answer.status < 300:
                self.paused.add(job_id)

    def _append(self, job_id: str, job: SoakJob) -> None:
        """Append the next batch, each twice, and end the records after the last."""
        sent, total = self.sent[job_id], 2 * len(job.batches)
        if sent > total or not job.batches:
            return
        path = f"/v1/jobs/{job_id}/records"
        if sent == total:
            answer = self._ask("POST", f"{path}/end")
        else:
            answer = self._ask("POST", path, job.batches[sent // 2])
        if answer is not None and answer.status == 202:
            self.sent[job_id] += 1

    def _fork(self, job_id: str, job: SoakJob) -> bool:
        answer = self._ask("POST", f"/v1/jobs/{job_id}/fork", {}, f"fork-{job_id}")
        if answer is None or answer.status != 202:
            return False
        self.open[answer.json["id"]] = replace(job, steer=None)
        return True

    def _end(self, job_id: str, job: SoakJob, shown: dict[str, Any]) -> None:
        rows: list[dict[str, Any]] = []
        if shown["result"] is not None:
            answer = self._ask("GET", f"/v1/jobs/{job_id}/results?format=jsonl")
            if answer is None or answer.status != 200:
                return  # read again at the next look
            rows = answer.lines
        if job.steer == "fork" and shown["status"] == "succeeded" and not self._fork(job_id, job):
            return  # asked again at the next look
        del self.open[job_id]
        self.report.endings[shown["status"]] += 1
        self._say(f"{job.kind} {job_id} {shown['status']}")
        self.report.units += shown["progress"]["units"]
        try:
            job.check(shown, rows)
        except AssertionError as error:
            why = self._ask("GET", f"/v1/jobs/{job_id}/failures")
            told = why.json if why is not None else None
            self.report.problems.append(f"{job.kind} {job_id}: {str(error)[:300]} {told}")

    def _say(self, told: str) -> None:
        self.tell(f"{time.monotonic() - self.since:6.1f} s  {told}")

    def _until_all_ended(self) -> None:
        def all_ended() -> bool:
            self._look()
            return not self.open

        try:
            eventually(all_ended, within=SETTLES_S, every=0.3)
        except AssertionError:
            for job_id, job in self.open.items():
                shown = self.stack.get(f"/v1/jobs/{job_id}").json
                self.report.problems.append(f"{job.kind} {job_id} hangs: {shown}")

    def _check_database(self) -> None:
        engine = connect(
            self.stack.settings.sqlalchemy_url, pool_size=1, application_name="apwa-soak"
        )
        with engine.connect() as connection:
            found = list(breaches(connection))
        engine.dispose()
        self.report.problems += [f"{one.invariant} {one.object_id}: {one.detail}" for one in found]

    def _ask(
        self, method: str, path: str, body: Any = None, key: str | None = None
    ) -> Answer | None:
        headers = {"Idempotency-Key": key} if key else None
        try:
            return self.stack.request(method, path, body, headers)
        except OSError:
            return None  # the API was killed; asked again later
