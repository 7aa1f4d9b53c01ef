"""The first promise: a given two-stage plan over HTTP, whatever dies on the way."""

import os
import signal
from collections import Counter
from collections.abc import Callable

from tests.eventually import eventually
from tests.stack import Stack

ROWS = 3000
PLAN = {
    "version": 1,
    "stages": [
        {
            "name": "redacted",
            "over": "tickets",
            "unit": {"rows": 1},
            "capability": "redact",
            "params": {"field": "text"},
            "keep": ["team"],
        },
        {
            "name": "per_team",
            "over": ["redacted"],
            "unit": {"table": True},
            "capability": "sql",
            "params": {
                "query": "SELECT team, count(*) AS tickets, min(id) AS first, max(id) AS last "
                "FROM redacted GROUP BY team ORDER BY team"
            },
        },
    ],
    "result": {"table": "per_team"},
}


def tickets(count: int) -> list[dict[str, object]]:
    return [
        {"id": number, "team": f"team {number % 7}", "text": f"Write to marker{number}@example.com"}
        for number in range(count)
    ]


def test_a_two_stage_plan_survives_a_killed_worker_and_an_emptied_redis(
    make_stack: Callable[..., Stack],
) -> None:
    # given two workers and shards small enough that the job is under way for a while
    stack = make_stack(APWA_SHARD_SIZE="10").start_all(workers=2)
    body = {"plan": PLAN, "inputs": {"tickets": {"rows": tickets(ROWS), "key": "id"}}}

    # when a worker is killed and Redis wiped in the middle of the first stage
    job_id = stack.submit(body)
    eventually(lambda: settled(stack, job_id) > ROWS // 10, within=60)
    eventually(lambda: frozen_at_work(stack, job_id), within=30)
    stack.kill("worker")
    stack.redis().flushall()
    assert settled(stack, job_id) < ROWS, "the job was over before the fault: make it longer"
    stack.start("worker")
    job = stack.wait(job_id, within=120)

    # then the record is complete and each unit is there exactly once
    assert job["status"] == "succeeded", job
    assert job["progress"]["units"] == ROWS + 1 == job["progress"]["succeeded"]
    assert job["coverage"]["stages"]["redacted"]["succeeded"] == ROWS
    per_unit = Counter(row["id"] for row in stack.results(job_id, "&stage=redacted"))
    assert per_unit == Counter(range(ROWS))
    result = stack.results(job_id)
    assert [row["team"] for row in result] == [f"team {number}" for number in range(7)]
    assert sum(row["tickets"] for row in result) == ROWS
    assert stack.scalar("SELECT count(*) FROM shard_deliveries WHERE ending = 'lost'") >= 1


def frozen_at_work(stack: Stack, job_id: str) -> bool:
    """Stop the first worker in its tracks; let it go on unless it holds open units."""
    pid = stack.processes["worker"][0].pid
    os.kill(pid, signal.SIGSTOP)
    held = stack.scalar(
        """SELECT count(*) FROM shards s JOIN workers w ON w.id = s.worker_id
          WHERE s.job_id = %s AND w.pid = %s AND s.status = 'running'
          AND s.succeeded < s.unit_count""",
        job_id,
        pid,
    )
    if not held:
        os.kill(pid, signal.SIGCONT)
    return bool(held)


def settled(stack: Stack, job_id: str) -> int:
    return int(
        stack.scalar("SELECT coalesce(sum(succeeded), 0) FROM shards WHERE job_id = %s", job_id)
    )
