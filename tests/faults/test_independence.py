"""Workers never talk: nothing one of them writes to Redis is read by another."""

import base64
import re
from itertools import permutations
from typing import Any

import pytest

from shared.broker.app import SHARD_QUEUES
from shared.broker.canary import KEY
from shared.messages.collect_job import CollectJob
from shared.messages.deliver_events import DeliverEvents
from shared.messages.dispatch_job import DispatchJob
from shared.messages.plan_job import PlanJob
from tests.eventually import eventually
from tests.faults.accounts import assert_each_unit_once, job_of, people
from tests.faults.redis_traffic import Said, Traffic, message_of, recorded
from tests.stack import Stack

UNITS = 300
MARKER = "marker-of-a-row"
DOORBELLS = {PlanJob.QUEUE, DispatchJob.QUEUE, CollectJob.QUEUE, DeliverEvents.QUEUE}
REQUESTS = "apwa:requests:"
SHARDS = set(SHARD_QUEUES.values())

# Celery's transport keeps these for itself; every process that consumes writes and reads them.
# unacked, unacked_index: messages taken and not yet acknowledged, by delivery tag, so that after
#   an hour somebody may put back what a dead process took (a claim then finds the shard taken).
# unacked_mutex: whose turn it is to look for those.
# _kombu.binding*: which queues exist, by name.
BOOKKEEPING = re.compile(r"(unacked(_index|_mutex)?|_kombu\.binding[a-z_]*(\..+)?)\Z")


@pytest.fixture(scope="module")
def traffic(shared_stack: Stack) -> Traffic:
    """What was said during one job on three workers, their start included."""
    stack = shared_stack
    for role, alive in stack.processes.items():
        while alive:
            stack.kill(role)
    before = consuming(stack)
    with recorded(stack) as seen:
        for role in ("api", "planner", "collector"):
            stack.start(role)
        stack.start("worker", 3)
        pids = [one.pid for one in stack.processes["worker"]]
        eventually(stack.is_ready, within=90)
        eventually(lambda: consuming(stack) == before + 3, within=90)
        rows = [{**row, "text": MARKER} for row in people(UNITS, nap_s=0.01)]
        job_id = stack.submit(job_of(rows))

        def final() -> dict[str, Any] | None:
            seen.look_who_is_who()
            job: dict[str, Any] = stack.get(f"/v1/jobs/{job_id}").json
            return job if job["finished_at"] else None

        job = eventually(final, within=60)
    assert_each_unit_once(stack, job, UNITS)
    worked = "SELECT count(DISTINCT worker_id) FROM results r JOIN workers w ON w.id = r.worker_id"
    assert stack.scalar(worked + " WHERE pid = ANY(%s)", pids) == 3
    return seen


def test_nothing_written_by_one_worker_is_read_by_another(traffic: Traffic) -> None:
    workers = [[one for one in traffic.said if one.who == ("worker", n)] for n in range(3)]
    shared = set()
    for writer, reader in permutations(workers, 2):
        written = {key for one in writer if one.writes for key in one.keys}
        read = {(key, one.name) for one in reader if one.reads for key in one.keys}
        shared |= {(key, name) for key, name in read if key in written}
    apart = {(key, name) for key, name in shared if not BOOKKEEPING.match(key)}

    # kombu asks how long a queue is when it declares it: a number, and nobody uses it
    assert {name for _, name in apart} <= {"LLEN"}
    assert {key.partition("\\x06")[0] for key, _ in apart} <= DOORBELLS


def test_only_the_planner_writes_shards_and_only_workers_read_them(traffic: Traffic) -> None:
    assert pushed_by(traffic, SHARDS) == {"planner"}
    assert taken_by(traffic, SHARDS) == {"worker"}


def test_workers_ring_planner_and_collector_and_nobody_else(traffic: Traffic) -> None:
    rung = {key for one in of("worker", traffic) if one.name == "LPUSH" for key in one.keys}
    assert rung == {DispatchJob.QUEUE, CollectJob.QUEUE}
    assert taken_by(traffic, {PlanJob.QUEUE, DispatchJob.QUEUE}) == {"planner"}
    assert taken_by(traffic, {CollectJob.QUEUE}) == {"collector"}


def test_what_workers_publish_nobody_listens_to(traffic: Traffic) -> None:
    """Celery's heartbeats are published; without gossip no process subscribes to them.

    All listen to remote control, to which only an operator writes.
    """
    published = {key for one in traffic.said if one.name == "PUBLISH" for key in one.keys}
    heard = {key for one in traffic.said if one.name.endswith("SUBSCRIBE") for key in one.keys}
    assert published == {"/0.celeryev/worker.heartbeat", "/0.celeryev/worker.online"}
    assert heard == {"/0.celery.pidbox"}
    written = {key for one in traffic.said if one.name == "LPUSH" for key in one.keys}
    assert not [key for key in written if "pidbox" in key]


def test_other_keys_are_the_planners_canary_and_the_apis_counts_of_requests(
    traffic: Traffic,
) -> None:
    keys = {key.partition("\\x06")[0] for one in traffic.said for key in one.keys}
    own = {key for key in keys if not key.startswith("/") and "pidbox" not in key}
    counts = {key for key in own if key.startswith(REQUESTS)}  # of requests, to limit their rate
    rest = {key for key in own - counts if not BOOKKEEPING.match(key)}
    assert rest - DOORBELLS - SHARDS == {KEY}
    assert {one.who[0] for one in traffic.said if KEY in one.keys} == {"planner"}
    assert {one.who[0] for one in traffic.said if counts & {*one.keys}} == {"api"}


def test_messages_are_one_id_and_no_row_comes_near_redis(traffic: Traffic) -> None:
    carried = [
        message_of(one.rest)
        for one in traffic.said
        if one.name == "LPUSH" or (one.name == "HSET" and one.keys == ("unacked",))
    ]
    assert len(carried) > 2 * UNITS / 10
    ids = {"job_id", "shard_id", "source_id"}
    assert {tuple(message) for message in carried} == {("v", name) for name in ids}
    for line in traffic.lines:
        bodies = re.findall(r'"body": "([A-Za-z0-9+/=]+)"', line["command"])
        for text in [line["command"], *(base64.b64decode(body).decode() for body in bodies)]:
            assert MARKER not in text


def consuming(stack: Stack) -> int:
    """Return how many workers ever began to take messages."""
    return stack.logs("worker").count(" ready.")


def of(role: str, traffic: Traffic) -> list[Said]:
    return [one for one in traffic.said if one.who[0] == role]


def pushed_by(traffic: Traffic, queues: set[str]) -> set[str]:
    return {one.who[0] for one in traffic.said if one.name == "LPUSH" and queues & {*one.keys}}


def taken_by(traffic: Traffic, queues: set[str]) -> set[str]:
    return {one.who[0] for one in traffic.said if one.name == "BRPOP" and queues & {*one.keys}}
