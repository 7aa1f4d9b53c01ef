"""A job of 100,000 rows that is paused, resumed, met by a stop of a worker, and cancelled.

`python -m bench.control`. Real services on stores of their own and a fake model that answers after
half a second. Tells how long after each order a call still began, how soon a stopped worker's
leases were free, how soon a deaf worker was at work again, what a 10-row job takes alone and behind
the large one, and which rows were called twice. Writes `bench/out/control.json`.
"""

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.cli.embedded.datastores import Datastores
from shared.broker.app import SHARD_QUEUES, Celery, make_app
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.model_jobs import labels_of, model_settings, tickets
from tests.stack import Stack

OUT = Path(__file__).parent / "out" / "control.json"
SMALL = 5  # 10-row jobs, of which the median counts
REST_S = 5.0  # looked at after each order
BUDGET = {"usd": None, "tokens": 10**12}
HELD = """SELECT count(*) FROM shards s JOIN workers w ON w.id = s.worker_id
  WHERE w.pid = %s AND s.status = 'running'"""

ANY_RESULT = """SELECT EXISTS (SELECT 1 FROM results r
  JOIN stages t ON t.id = r.stage_id AND t.job_id = %s)"""
HAS_CLAIMED = """SELECT count(*) FROM workers
  WHERE stopped_at IS NULL AND last_claim_at IS NOT NULL AND pid = %s"""


def main() -> None:
    """Run once and print the figures; exit code 1 when one is not as promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="apwa-bench-") as folder:
        stores = Datastores(Path(folder, "stores"), durable=True)
        stores.start()
        (own := Path(folder, "stack")).mkdir()
        with FakeModel(own, latency_ms={"fixed": 500}) as model:
            extra = model_settings(model) | {"APWA_LOOP_CONCURRENCY": "64"}
            extra |= {"APWA_WORKER_DEAF_S": "30", "APWA_LEASE_S": "30"}
            stack = Stack(own, stores.create_database(), extra=extra)
            try:
                found = _run(stack.start_all(workers=2), model, given.rows)
            finally:
                stack.stop()
                stores.stop()
    for name, value in found.items():
        sys.stdout.write(f"{name:>32}  {value}\n")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=2) + "\n")
    sys.exit(0 if _as_promised(found) else 1)


def _as_promised(found: dict[str, Any]) -> bool:
    return bool(
        found["called_twice"] == 0
        and found["cancel_last_call_s"] <= 2
        and found["stop_leases_free_s"] <= 1
        and found["deaf_restarted_s"] <= 60
        and found["small_behind_s"] <= 3 * found["small_alone_s"] + 2
    )


def _run(stack: Stack, model: FakeModel, rows: int) -> dict[str, Any]:
    found: dict[str, Any] = {"rows": rows, "small_alone_s": _small(stack, first=1_000_000)}
    job_id = stack.submit(labels_of(tickets(rows), policy={"budget": BUDGET}))
    _more_calls(model, 1_000)
    found["small_behind_s"] = _small(stack, first=2_000_000)
    found["pause_last_call_s"], settled = _order(stack, model, job_id, "pause")
    found["calls_while_paused"] = _calls_in(model, REST_S)
    stack.post(f"/v1/jobs/{job_id}/resume")
    _more_calls(model, 1_000)
    found["stop_leases_free_s"], found["stop_ended_s"] = _stop(stack)
    stack.start("worker")
    _more_calls(model, 1_000)
    found["cancel_last_call_s"], settled = _order(stack, model, job_id, "cancel")
    found["settled"] = settled
    found["status"] = stack.wait(job_id, within=60)["status"]
    calls = Counter(marker for call in model.calls() for marker in call.own_markers)
    found["calls"] = calls.total()
    found["called_twice"] = sum(1 for count in calls.values() if count > 1)
    found["deaf_next_unit_s"], found["deaf_restarted_s"] = _deaf(stack)
    return found


def _small(stack: Stack, first: int) -> float:
    """Return the median seconds from submission to the end of a job of ten rows."""
    times = []
    for number in range(SMALL):
        body = labels_of(tickets(10, first + 10 * number), policy={"budget": BUDGET})
        began = time.monotonic()
        job_id = stack.submit(body)
        eventually(lambda job_id=job_id: _is_final(stack, job_id), within=120, every=0.02)
        times.append(time.monotonic() - began)
    return round(statistics.median(times), 2)


def _is_final(stack: Stack, job_id: str) -> bool:
    return stack.scalar("SELECT finished_at FROM jobs WHERE id = %s", job_id) is not None


def _more_calls(model: FakeModel, count: int) -> None:
    before = len(model.calls())
    eventually(lambda: len(model.calls()) >= before + count, within=300, every=0.2)


def _order(stack: Stack, model: FakeModel, job_id: str, verb: str) -> tuple[float, int]:
    """Give an order; return how long after its answer the last call began, and what is settled."""
    answer = stack.post(f"/v1/jobs/{job_id}/{verb}")
    given_at = time.time()
    if answer.status != 202:
        raise RuntimeError(f"{verb}: {answer.status} {answer.body.decode()}")
    time.sleep(REST_S)
    late = [call.at - given_at for call in model.calls()]
    count = "SELECT count(*) FROM results r JOIN stages t ON t.id = r.stage_id WHERE t.job_id = %s"
    return round(max(max(late), 0.0), 2), int(stack.scalar(count, job_id))


def _calls_in(model: FakeModel, seconds: float) -> int:
    before = len(model.calls())
    time.sleep(seconds)
    return len(model.calls()) - before


def _stop(stack: Stack) -> tuple[float, float]:
    """SIGTERM a worker; return when its leases were free and when it had ended, in seconds."""
    worker = stack.processes["worker"].pop(0)
    if not stack.scalar(HELD, worker.pid):
        raise RuntimeError("the worker holds nothing")
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    free = _seconds_until(lambda: stack.scalar(HELD, worker.pid) == 0, began)
    return free, _seconds_until(lambda: worker.poll() is not None, began)


def _seconds_until(condition: Callable[[], bool], began: float) -> float:
    eventually(condition, within=120, every=0.01)
    return round(time.monotonic() - began, 2)


def _deaf(stack: Stack) -> tuple[float, float]:
    """Let the only worker hear nothing; return when a unit settled, and when it was restarted."""
    stack.kill("worker")
    [worker] = stack.processes["worker"]
    app = make_app("bench", stack.valkey.url())
    for queue in SHARD_QUEUES.values():
        eventually(lambda queue=queue: _stops_reading(app, queue), within=30)
    began = time.monotonic()
    job_id = stack.submit(labels_of(tickets(20_000, 3_000_000), policy={"budget": BUDGET}))
    settled = _seconds_until(lambda: bool(stack.scalar(ANY_RESULT, job_id)), began)
    _seconds_until(lambda: worker.poll() is not None, began)
    stack.processes["worker"] = []
    stack.start("worker")  # as a supervisor does
    pid = stack.processes["worker"][0].pid
    restarted = _seconds_until(lambda: stack.scalar(HAS_CLAIMED, pid) > 0, began)
    stack.post(f"/v1/jobs/{job_id}/cancel")
    app.close()
    return settled, restarted


def _stops_reading(app: Celery, queue: str) -> bool:
    answers = app.control.cancel_consumer(queue, reply=True, timeout=2)
    return any(node.startswith("wrk_") for answer in answers for node in answer)


if __name__ == "__main__":
    main()
