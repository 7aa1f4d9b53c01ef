"""Messages that come ten times, from yesterday, from a forger or in no known form."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.broker.app import SHARD_QUEUES, make_app
from shared.domain.ids import new_id
from shared.messages.collect_job import CollectJob
from shared.messages.dispatch_job import DispatchJob
from shared.messages.plan_job import PlanJob
from shared.messages.run_shard import RunShard
from tests.eventually import eventually
from tests.faults.accounts import assert_each_unit_once, job_of, moody_plan, people
from tests.stack import Stack

Publish = Callable[[str, str, Any], None]  # (task, queue, body)
QUEUES = {
    "planner": [PlanJob.QUEUE, DispatchJob.QUEUE],
    "collector": [CollectJob.QUEUE],
    "worker": [SHARD_QUEUES["cpu"]],
}
MALFORMED: list[Any] = [
    None,
    "text",
    7,
    [],
    {},
    {"v": 1},
    {"v": 2, "ID": 1},
    {"v": True, "ID": 1},
    {"v": 1, "ID": True},
    {"v": 1, "ID": 2**70},
    {"v": 1, "ID": "x\x00y"},
    {"v": 1, "ID": "job_' OR 1=1 --"},
    {"v": 1, "ID": {"nested": []}},
    {"v": 1, "ID": 1, "more": 1},
]


def publisher(stack: Stack) -> Publish:
    app = make_app("tests", stack.valkey.url())

    def publish(task: str, queue: str, body: Any) -> None:
        app.send_task(task, kwargs={"message": body}, queue=queue)

    return publish


def test_every_message_ten_times_runs_each_unit_once(stack: Stack, tmp_path: Path) -> None:
    # given a job that cannot end before its gate opens
    units, journal, gate = 100, tmp_path / "journal", tmp_path / "gate"
    rows = people(units)
    rows[50]["do"] = "wait"
    plan = moody_plan({"journal": str(journal), "gate": str(gate)})
    job_id = stack.submit(job_of(rows, plan=plan))
    shards = eventually(
        lambda: stack.rows("SELECT id FROM shards WHERE job_id = %s", job_id), within=30
    )
    publish = publisher(stack)

    # when each of its messages comes ten more times
    for _ in range(10):
        for (shard_id,) in shards:
            publish(RunShard.NAME, SHARD_QUEUES["cpu"], RunShard(shard_id).encode())
        for message in (PlanJob, DispatchJob, CollectJob):
            publish(message.NAME, message.QUEUE, message(job_id).encode())
    eventually(lambda: unread(stack) == 0, within=30)
    assert stack.get(f"/v1/jobs/{job_id}").json["status"] == "running"
    gate.touch()
    job = stack.wait(job_id)

    # then each unit ran once; and yesterday's messages change nothing in a final job
    assert_each_unit_once(stack, job, units)
    for (shard_id,) in shards:
        publish(RunShard.NAME, SHARD_QUEUES["cpu"], RunShard(shard_id).encode())
    for message in (PlanJob, DispatchJob, CollectJob):
        publish(message.NAME, message.QUEUE, message(job_id).encode())
    eventually(lambda: unread(stack) == 0, within=30)
    assert Counter(journal.read_text().split()) == Counter(map(str, range(units)))
    assert stack.get(f"/v1/jobs/{job_id}").json == job


def test_forged_ids_cost_a_look_at_the_database_and_no_more(stack: Stack) -> None:
    publish, before = publisher(stack), stack.rows("SELECT id, status FROM shards ORDER BY id")
    for message in (PlanJob, DispatchJob, CollectJob):
        publish(message.NAME, message.QUEUE, message(new_id("job")).encode())
    for shard_id in (1, 10**12, 2**63 - 1):
        publish(RunShard.NAME, SHARD_QUEUES["cpu"], RunShard(shard_id).encode())
    eventually(lambda: unread(stack) == 0, within=30)
    assert stack.rows("SELECT id, status FROM shards ORDER BY id") == before
    assert_all_at_work(stack)


def test_what_is_not_ours_is_refused_and_logged(stack: Stack) -> None:
    # given a Redis into which a stranger writes
    publish = publisher(stack)
    tasks: list[tuple[str, str, str]] = [
        (PlanJob.NAME, PlanJob.QUEUE, "job_id"),
        (DispatchJob.NAME, DispatchJob.QUEUE, "job_id"),
        (CollectJob.NAME, CollectJob.QUEUE, "job_id"),
        (RunShard.NAME, SHARD_QUEUES["cpu"], "shard_id"),
    ]
    before = refused(stack)

    # when every kind of malformed body comes to every task
    for name, queue, id_name in tasks:
        for body in MALFORMED:
            if isinstance(body, dict) and "ID" in body:
                body = {**{k: v for k, v in body.items() if k != "ID"}, id_name: body["ID"]}
            publish(name, queue, body)

    # then each is refused in the log, and everybody works on
    expected = len(tasks) * len(MALFORMED)
    eventually(lambda: refused(stack) - before == expected, within=30)
    assert_all_at_work(stack)


def test_unknown_tasks_and_bodies_that_are_no_json_stop_nobody(stack: Stack) -> None:
    publish, client = publisher(stack), stack.redis()
    for queues in QUEUES.values():
        for queue in queues:
            publish("no_such_task", queue, {"v": 1})
            for raw in (b"not json", b"{}", b"[1, 2", b"\xff\xfe\x00", b'{"body": "x"}'):
                client.lpush(queue, raw)
    eventually(lambda: unread(stack) == 0, within=30)
    assert_all_at_work(stack)


def unread(stack: Stack) -> int:
    client = stack.redis()
    return sum(int(client.llen(queue)) for queues in QUEUES.values() for queue in queues)


def refused(stack: Stack) -> int:
    return sum(stack.logs(role).count('"event": "message_refused"') for role in QUEUES)


def assert_all_at_work(stack: Stack) -> None:
    """Every process lives, and a new job goes through."""
    job = stack.wait(stack.submit(job_of(people(12))), within=30)
    assert_each_unit_once(stack, job, 12)
    for processes in stack.processes.values():
        assert all(process.poll() is None for process in processes)
