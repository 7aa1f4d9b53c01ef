"""A Redis that hangs, is full, only reads, or has yesterday's data: slower, and nothing lost."""

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from services.cli.embedded.ports import choose_port
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.accounts import assert_each_unit_once, job_of, moody_plan, people, settled
from tests.faults.model_jobs import calls_by_marker, labels_of, model_settings, tickets
from tests.faults.test_messages import unread
from tests.stack import Stack

pytestmark = pytest.mark.long

UNITS = 60
POSTS = 10


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("model")) as made:
        yield made


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], own_package: str, model: FakeModel) -> Stack:
    """A stack with a Redis of its own and the stranger's package."""
    extra = {"PYTHONPATH": own_package, "APWA_SHARD_SIZE": "10", **model_settings(model)}
    return make_module_stack(**extra).start_all(workers=2)


def test_a_hung_redis_slows_jobs_and_refuses_none(stack: Stack, model: FakeModel) -> None:
    # given a Redis that takes connections and answers nothing
    with hung(stack):
        # when jobs are posted, then each is accepted, and status says what is wrong
        taken = []
        for number in range(POSTS):
            began = time.monotonic()
            last = stack.submit(job_of(people(3), labels={"no": str(number)}))
            taken.append(time.monotonic() - began)
        told = stack.get("/readyz")
        assert (told.status, told.json["code"]) == (503, "not_ready")
        assert [error["pointer"] for error in told.json["errors"]] == ["/broker"]
        assert stack.get("/livez").status == 200

        # and jobs finish, those that call a model too
        model.forget()
        labelled = stack.submit(labels_of(tickets(10)))
        began = time.monotonic()
        assert_each_unit_once(stack, stack.wait(last), 3)
        assert_each_unit_once(stack, stack.wait(labelled), 10)
        in_fault = time.monotonic() - began
    assert set(calls_by_marker(model).values()) == {1}

    # and with Redis back everything is normal again
    began = time.monotonic()
    assert_normal(stack)
    print(
        f"\nhung: POST p50 {percentile(taken, 0.5):.0f} ms, p99 {percentile(taken, 0.99):.0f} ms; "
        f"jobs finished after {in_fault:.1f} s, normal {time.monotonic() - began:.1f} s after"
    )


def test_a_full_redis_slows_jobs_and_loses_nothing(stack: Stack) -> None:
    client = stack.redis()
    job_id = started(stack)
    client.config_set("maxmemory", 1)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        client.set("some", "thing")
    later = stack.submit(job_of(people(3)))
    assert_each_unit_once(stack, stack.wait(job_id), UNITS)
    assert_each_unit_once(stack, stack.wait(later), 3)
    client.config_set("maxmemory", 0)
    assert_normal(stack)


def test_a_redis_that_only_reads_slows_jobs_and_loses_nothing(stack: Stack) -> None:
    client = stack.redis()
    job_id = started(stack)
    client.replicaof("127.0.0.1", choose_port(None))  # nobody listens there
    with pytest.raises(redis.exceptions.ReadOnlyError):
        client.set("some", "thing")
    later = stack.submit(job_of(people(3)))
    assert_each_unit_once(stack, stack.wait(job_id), UNITS)
    assert_each_unit_once(stack, stack.wait(later), 3)
    client.replicaof("NO", "ONE")
    assert_normal(stack)


def test_a_redis_with_yesterdays_data_runs_each_unit_once(stack: Stack, tmp_path: Path) -> None:
    # given what Redis held while a job ran that is final now, and another job under way
    journal, folder, kept = tmp_path / "journal", stack.folder / "valkey", tmp_path / "kept"
    plan = moody_plan({"journal": str(journal)})
    first = stack.submit(job_of(people(UNITS, nap_s=0.02), plan=plan))
    eventually(lambda: settled(stack, first) > 0, within=30)
    shutil.copytree(folder, kept)
    stack.wait(first)
    second = stack.submit(job_of(people(UNITS, nap_s=0.02), plan=plan))
    eventually(lambda: settled(stack, second) > 0, within=30)

    # when Redis starts again with what it held then
    stack.valkey.process.kill_group()
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)
    stack.valkey.start(stack.valkey.port)

    # then each unit of both ran once
    assert_each_unit_once(stack, stack.wait(second), UNITS)
    assert_each_unit_once(stack, stack.get(f"/v1/jobs/{first}").json, UNITS)
    assert Counter(journal.read_text().split()) == Counter(2 * [str(n) for n in range(UNITS)])
    assert_normal(stack)


def test_what_is_told_to_stop_while_redis_hangs_stops_in_order(stack: Stack) -> None:
    # given processes that try to reach a Redis that hangs
    roles = ("planner", "collector", "worker")
    with hung(stack):
        leaving = [one for role in roles for one in stack.processes[role]]
        for one in leaving:
            os.kill(one.pid, signal.SIGTERM)

        # then they end by themselves, soon after their grace
        assert [one.wait(20) for one in leaving] == [0] * len(leaving)
    assert stack.scalar("SELECT count(*) FROM workers WHERE stopped_at IS NULL") == 0
    for role in roles:
        count = len(stack.processes[role])
        stack.processes[role] = []
        stack.start(role, count)
    assert_normal(stack)


@contextmanager
def hung(stack: Stack) -> Iterator[None]:
    """SIGSTOP for Redis: the system still accepts connections for it."""
    os.kill(stack.valkey.process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(stack.valkey.process_id, signal.SIGCONT)


def started(stack: Stack) -> str:
    """Return a job some of whose units are settled."""
    job_id = stack.submit(job_of(people(UNITS, nap_s=0.02)))
    eventually(lambda: settled(stack, job_id) > 0, within=30)
    assert settled(stack, job_id) < UNITS, "the job was over before the fault: make it longer"
    return job_id


def assert_normal(stack: Stack) -> None:
    """Ready, by the same processes, and messages are sent and taken again."""
    eventually(stack.is_ready, within=15)
    assert_each_unit_once(stack, stack.wait(stack.submit(job_of(people(3)))), 3)

    def sent_and_taken() -> bool:
        before = sent(stack)
        stack.wait(stack.submit(job_of(people(3))))
        return sent(stack) > before and unread(stack) == 0

    eventually(sent_and_taken, within=40)
    for processes in stack.processes.values():
        assert all(process.poll() is None for process in processes)


def sent(stack: Stack) -> int:
    return int(stack.redis().info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"])


def percentile(seconds: list[float], share: float) -> float:
    """Return milliseconds."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000
