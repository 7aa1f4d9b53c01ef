"""Streams through the public door: every record once, whatever dies while they come."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.faults.accounts import assert_ledger_adds_up
from tests.stack import ROOT, Answer, Stack

COLUMNS = {"id": "integer", "team": "string", "text": "string"}
CLEAN = {
    "name": "clean",
    "over": "tickets",
    "unit": {"rows": 1},
    "capability": "redact",
    "params": {"field": "text"},
    "keep": ["team"],
}
PER_TEAM = {
    "name": "per_team",
    "over": ["clean"],
    "unit": {"table": True},
    "capability": "sql",
    "params": {"query": "SELECT team, count(*) AS n FROM clean GROUP BY team ORDER BY team"},
}

ERASED = "SELECT erased_at FROM jobs WHERE id = %s"


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack]) -> Stack:
    """Two workers, and shards so small that a worker always holds some."""
    return make_module_stack(
        APWA_STREAM_SHARD_ROWS="20", APWA_STREAM_MAX_AGE_S="0.2", APWA_LEASE_S="2"
    ).start_all(workers=2)


def plan_of(*stages: dict[str, Any], result: str = "clean") -> dict[str, Any]:
    return {"version": 1, "stages": list(stages), "result": {"table": result}}


def tickets(numbers: Iterable[int]) -> list[dict[str, Any]]:
    return [
        {"id": n, "team": f"team {n % 3}", "text": f"marker{n}@example.com wrote"} for n in numbers
    ]


def stream_job(rows: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    stream: dict[str, Any] = {"stream": True, "columns": COLUMNS, "key": "id"}
    if rows is not None:
        stream["rows"] = rows
    return {"plan": plan_of(CLEAN), "inputs": {"tickets": stream}, **more}


def append(stack: Stack, job_id: str, rows: list[dict[str, Any]]) -> Any:
    answer = stack.post(f"/v1/jobs/{job_id}/records", rows)
    assert answer.status == 202, answer.body.decode()
    return answer.json


def end(stack: Stack, job_id: str) -> Answer:
    return stack.post(f"/v1/jobs/{job_id}/records/end")


def settled(stack: Stack, job_id: str) -> int:
    return int(stack.get(f"/v1/jobs/{job_id}").json["progress"]["succeeded"])


def assert_each_once(stack: Stack, job: dict[str, Any], numbers: Iterable[int]) -> None:
    expected = Counter(numbers)
    assert job["status"] == "succeeded", job
    assert Counter(row["id"] for row in stack.results(job["id"], "&stage=clean")) == expected
    assert job["coverage"]["stages"]["clean"]["units"] == sum(expected.values())
    assert_ledger_adds_up(stack, job["id"])
    assert stack.scalar("SELECT count(*) FROM stream_batches") == 0


def test_a_stream_in_bursts_loses_and_doubles_nothing_though_workers_are_killed(
    stack: Stack,
) -> None:
    # given a stream, with a stage that waits for all of it
    job_id = stack.submit({**stream_job(), "plan": plan_of(CLEAN, PER_TEAM, result="per_team")})
    assert stack.get(f"/v1/jobs/{job_id}").json["mode"] == "stream"

    # when 2,000 records come in bursts and a worker is killed twice, Redis emptied once
    total, burst = 2_000, 100
    for first in range(0, total, burst):
        told = append(stack, job_id, tickets(range(first, first + burst)))
        assert (told["accepted"], told["duplicates"], told["rejected"]) == (burst, 0, [])
        if first in (500, 1_200):
            eventually(lambda: frozen_at_work(stack, job_id), within=20, every=0.001)
            stack.kill("worker")
            stack.start("worker")
        if first == 900:
            stack.redis().flushall()

    # then results are there before the end, and the last stage has not begun
    page = eventually(lambda: some_results(stack, job_id), within=90)
    assert page["resume_cursor"]
    stages = {one["name"]: one for one in stack.get(f"/v1/jobs/{job_id}/stages").json["items"]}
    assert stages["clean"]["status"] == "open"
    assert stages["per_team"]["status"] == "waiting"

    # and every record is there once at the end, for which a second end changes nothing
    assert end(stack, job_id).status == 202
    assert end(stack, job_id).status == 202
    job = stack.wait(job_id, within=90)
    assert_each_once(stack, job, range(total))
    assert sum(row["n"] for row in stack.results(job_id)) == total
    ended = "SELECT count(*) FROM events WHERE job_id = %s AND type = 'stream.ended'"
    assert stack.scalar(ended, job_id) == 1

    # and the cursor of before goes on over all the rest, each row once
    rest = pages_from(stack, job_id, page["resume_cursor"])
    assert Counter([row["id"] for row in [*page["items"], *rest]]) == Counter(range(total))


def test_a_hybrid_job_works_off_what_it_starts_with_and_what_comes(stack: Stack) -> None:
    job_id = stack.submit(stream_job(tickets(range(1_000))))
    assert stack.get(f"/v1/jobs/{job_id}").json["mode"] == "hybrid"

    # when 500 are appended of which 100 were there at submission
    first = append(stack, job_id, tickets(range(900, 1_200)))
    assert (first["accepted"], first["duplicates"]) == (200, 100)
    assert append(stack, job_id, tickets(range(1_200, 1_500)))["accepted"] == 300
    assert end(stack, job_id).status == 202

    assert_each_once(stack, stack.wait(job_id, within=60), range(1_500))


def test_every_service_killed_while_records_come_costs_nothing_but_time(stack: Stack) -> None:
    job_id = stack.submit(stream_job())
    total, burst = 600, 50
    for first in range(0, total, burst):
        rows = tickets(range(first, first + burst))
        if first == 100:
            stack.kill("planner")
        if first == 200:
            stack.kill("collector")
            stack.start("planner")
        if first == 300:
            kill_api_while_appending(stack, job_id, rows)
        append(stack, job_id, rows)  # sent again, it counts as duplicate
    stack.start("collector")
    assert end(stack, job_id).status == 202

    assert_each_once(stack, stack.wait(job_id, within=60), range(total))


def test_two_appenders_with_the_same_keys_get_each_accepted_once(stack: Stack) -> None:
    job_id = stack.submit(stream_job())
    told: list[Any] = []

    def send(first: int) -> None:
        for at in range(first, first + 300, 30):
            told.append(append(stack, job_id, tickets(range(at, at + 30))))

    threads = [threading.Thread(target=send, args=(first,)) for first in (0, 150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(one["accepted"] for one in told) == 450
    assert sum(one["duplicates"] for one in told) == 150
    end(stack, job_id)

    assert_each_once(stack, stack.wait(job_id), range(450))


def test_a_record_tells_its_outcome_and_how_long_it_took(stack: Stack) -> None:
    job_id = stack.submit(stream_job())
    append(stack, job_id, tickets([7]))

    def known() -> Any:
        record = stack.get(f"/v1/jobs/{job_id}/records/7").json
        return record if record["outcome"] else None

    record = eventually(known, within=20)
    assert record["outcome"] == "succeeded"
    assert record["output"]["id"] == 7
    assert "marker7@" not in record["output"]["text"]
    assert record["accepted_at"] < record["settled_at"]
    assert record["latency_ms"] > 0
    assert stack.get(f"/v1/jobs/{job_id}/records/8").status == 404
    stream = stack.get(f"/v1/jobs/{job_id}/records").json
    assert (stream["accepted"], stream["unsettled"], stream["latency"]["settled"]) == (1, 0, 1)
    waits = stack.get(f"/v1/jobs/{job_id}").json["status_reason"]
    assert waits == {"kind": "records"}
    end(stack, job_id)
    assert stack.wait(job_id)["status"] == "succeeded"


def test_the_command_line_appends_lines_and_ends_the_records(stack: Stack, tmp_path: Path) -> None:
    job_id = stack.submit(stream_job())
    file = tmp_path / "tickets.ndjson"
    rows = [json.dumps(row) for row in tickets(range(700))]
    file.write_text("\n".join([*rows[:600], '{"id": "no number"}', *rows[600:], rows[0]]))

    told = command(stack, "records", "append", job_id, str(file), "--json")
    assert told.returncode == 3
    counted = json.loads(told.stdout)
    assert (counted["accepted"], counted["duplicates"]) == (700, 1)
    assert [(one["line"], one["pointer"]) for one in counted["rejected"]] == [(601, "/id")]
    assert command(stack, "records", "end", job_id).returncode == 0

    assert_each_once(stack, stack.wait(job_id), range(700))
    shown = command(stack, "records", "show", job_id, "699")
    assert json.loads(shown.stdout)["outcome"] == "succeeded"


def test_a_stream_that_ended_empty_comes_to_its_end(stack: Stack) -> None:
    job_id = stack.submit(stream_job())
    assert end(stack, job_id).status == 202
    job = stack.wait(job_id, within=30)
    assert job["status"] == "failed"
    assert job["error"]["code"] == "no_result"
    assert job["progress"]["units"] == 0
    assert stack.post(f"/v1/jobs/{job_id}/records", tickets([1])).status == 409


def test_a_paused_stream_takes_records_and_works_them_off_when_resumed(stack: Stack) -> None:
    job_id = stack.submit(stream_job())
    append(stack, job_id, tickets(range(10)))
    eventually(lambda: settled(stack, job_id) == 10, within=20)
    assert stack.post(f"/v1/jobs/{job_id}/pause").status == 202
    append(stack, job_id, tickets(range(10, 40)))
    end(stack, job_id)
    sealed = "SELECT count(*) FROM streams WHERE job_id = %s AND sealed_at IS NOT NULL"
    eventually(lambda: stack.scalar(sealed, job_id), within=20)
    assert settled(stack, job_id) == 10
    assert stack.post(f"/v1/jobs/{job_id}/resume").status == 202
    assert_each_once(stack, stack.wait(job_id), range(40))


def test_a_cancelled_stream_accounts_for_every_record_it_took(stack: Stack) -> None:
    job_id = stack.submit(stream_job())
    append(stack, job_id, tickets(range(30)))
    eventually(lambda: settled(stack, job_id) == 30, within=20)
    for _ in range(len(stack.processes["worker"])):
        stack.kill("worker")
    append(stack, job_id, tickets(range(30, 75)))
    assert stack.post(f"/v1/jobs/{job_id}/cancel").status == 202
    job = stack.wait(job_id, within=30)
    stack.start("worker", 2)

    assert job["status"] == "cancelled"
    assert job["coverage"]["units"] == 75
    assert (job["coverage"]["succeeded"], job["coverage"]["cancelled"]) == (30, 45)
    assert stack.post(f"/v1/jobs/{job_id}/records", tickets([99])).status == 409
    assert stack.get(f"/v1/jobs/{job_id}/records/40").json["outcome"] == "cancelled"


def test_a_finalized_stream_ends_with_what_is_there_and_a_deleted_one_leaves_nothing(
    stack: Stack,
) -> None:
    # given a stream some records of which have their outcome
    job_id = stack.submit(stream_job(policy={"min_success": 0.0}))
    append(stack, job_id, tickets(range(100)))
    eventually(lambda: settled(stack, job_id) > 0, within=30)

    # when it is finalized: it takes no more, and accounts for every record it took
    assert stack.post(f"/v1/jobs/{job_id}/finalize").status == 202
    assert stack.post(f"/v1/jobs/{job_id}/records", tickets([1000])).status == 409
    job = stack.wait(job_id)
    assert job["status"] in {"succeeded", "partial"}
    ledger = job["coverage"]["stages"]["clean"]
    assert ledger["units"] == 100 == ledger["succeeded"] + ledger["skipped"]
    assert len(list(stack.results(job_id, "&stage=clean"))) == ledger["succeeded"] > 0
    assert_ledger_adds_up(stack, job_id)

    # and when it is deleted, no record is left
    left = """SELECT (SELECT count(*) FROM stages WHERE job_id = %s)
      + (SELECT count(*) FROM streams WHERE job_id = %s)
      + (SELECT count(*) FROM stream_keys WHERE table_id = ANY(%s))
      + (SELECT count(*) FROM table_chunks WHERE table_id = ANY(%s))"""
    tables = [name for (name,) in stack.rows("SELECT id FROM tables WHERE job_id = %s", job_id)]
    tables += [stack.scalar("SELECT table_id FROM streams WHERE job_id = %s", job_id)]
    assert stack.scalar(left, job_id, job_id, tables, tables) > 100
    assert stack.request("DELETE", f"/v1/jobs/{job_id}").status == 202
    eventually(lambda: stack.scalar(ERASED, job_id), within=30)
    for path in ("records", "records/1", "results"):
        assert stack.get(f"/v1/jobs/{job_id}/{path}").status == 410
    assert stack.scalar(left, job_id, job_id, tables, tables) == 0


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


def command(stack: Stack, *words: str) -> "subprocess.CompletedProcess[str]":
    address = {
        "APWA_API_URL": f"http://127.0.0.1:{stack.api_port}",
        "APWA_API_KEY": stack.key or "",
    }
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words], cwd=ROOT, env={**os.environ, **address},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def some_results(stack: Stack, job_id: str) -> Any:
    page = stack.get(f"/v1/jobs/{job_id}/results?stage=clean&limit=50").json
    return page if len(page["items"]) == 50 else None


def pages_from(stack: Stack, job_id: str, cursor: str) -> list[dict[str, Any]]:
    found = []
    while cursor:
        page = stack.get(f"/v1/jobs/{job_id}/results?stage=clean&limit=500&cursor={cursor}").json
        found += page["items"]
        cursor = page["next_cursor"]
    return found


def kill_api_while_appending(stack: Stack, job_id: str, rows: list[dict[str, Any]]) -> None:
    """Kill the api while the request may be anywhere, and start another."""
    body = b"\n".join(json.dumps(row).encode() for row in rows)

    def send() -> None:
        headers = {"Content-Type": "application/x-ndjson"}
        with suppress(OSError):  # its answer is lost, which is the point
            stack.request("POST", f"/v1/jobs/{job_id}/records", body, headers)

    sender = threading.Thread(target=send)
    sender.start()
    process = stack.processes["api"].pop()
    os.killpg(process.pid, signal.SIGKILL)  # its children too: they hold the port
    process.wait(10)
    sender.join(30)
    stack.start("api")
    eventually(stack.is_ready, within=90)
