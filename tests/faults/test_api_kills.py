"""kill -9 of the api while it stores jobs: a client that asks again gets the one job of its key."""

import http.client
import os
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Any

import psutil
import psycopg
import pytest

from tests.eventually import eventually
from tests.faults.accounts import job_of, people
from tests.faults.test_kills import EXTRACT
from tests.stack import Answer, Stack

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("API_KILLS", "15"))
CLIENTS = 4
SEED = 11
LATEST_S = 0.25  # after the api answers again it lives at most this long


@pytest.fixture(scope="module")
def api(make_module_stack: Callable[..., Stack]) -> Stack:
    """A stack of an api alone, once a worker told what it can: what is stored stays as it is."""
    stack = make_module_stack()
    stack.start("api")
    stack.start("worker")
    eventually(stack.is_ready, within=90)
    eventually(lambda: stack.scalar("SELECT count(*) FROM workers") == 1, within=90)
    stack.kill("worker")
    return stack


def test_an_api_killed_at_random_moments_makes_one_job_for_each_key(api: Stack) -> None:
    # given clients that post one job after the other, each with a key, until it is answered
    die, ended, told = random.Random(SEED), threading.Event(), Told()
    numbers = count()

    def post_always() -> None:
        while not ended.is_set():
            key = f"key-{next(numbers)}"
            eventually(lambda key=key: told.post(api, key), within=60, every=0.02)

    with ThreadPoolExecutor(CLIENTS) as clients:
        posting = [clients.submit(post_always) for _ in range(CLIENTS)]

        # when the process that serves them is killed again and again
        for _ in range(KILLS):
            answered = told.answered
            eventually(lambda answered=answered: told.answered > answered, within=30, every=0.005)
            assert not any(one.done() for one in posting)
            ended.wait(die.uniform(0, LATEST_S))
            serving(api).kill()
        ended.set()
        for one in posting:
            one.result()

    # then there are as many jobs as keys, and each key was only ever told of its own
    print(f"\nkills {KILLS}, keys {len(told.jobs)}, posts {told.posts}, cut off {told.cut_off}, "
          f"answered from the store {told.replayed}")  # fmt: skip
    assert told.cut_off >= 1
    assert_one_job_each(api, told)


def test_an_api_killed_while_it_commits_made_the_job_all_the_same(api: Stack) -> None:
    # given a COMMIT that does not end
    told = Told()
    before = api.scalar("SELECT count(*) FROM jobs")
    with ThreadPoolExecutor(1) as client, held_commits(api) as waiting:
        first = client.submit(told.post, api, "held-commit")
        eventually(waiting, within=30)

        # when the api is killed there
        serving(api).kill()
        assert first.result() is False
    assert told.cut_off == 1

    # then the client that asks again is told of the job it made
    eventually(lambda: told.post(api, "held-commit"), within=30)
    assert told.replayed == 1
    assert api.scalar("SELECT count(*) FROM jobs") == before + 1


class Told:
    """What clients were told: the jobs by key, and how often a connection was cut off."""

    def __init__(self) -> None:
        self.jobs: dict[str, set[str]] = defaultdict(set)
        self.posts = self.cut_off = self.replayed = self.answered = 0
        self._lock = threading.Lock()

    def post(self, stack: Stack, key: str) -> bool:
        """Post the job of this key once; True when it was answered."""
        try:
            answer = stack.post("/v1/jobs", body(key), **{"Idempotency-Key": key})
        except (OSError, http.client.HTTPException):
            answer = None
        with self._lock:
            return self._note(key, answer)

    def _note(self, key: str, answer: Answer | None) -> bool:
        self.posts += 1
        if answer is None:
            self.cut_off += 1
            return False
        assert answer.status in {202, 409, 503}, answer.body.decode()
        if answer.status != 202:
            return False  # the first try is still being decided
        self.answered += 1
        self.replayed += answer.headers.get("Idempotency-Replayed") == "true"
        self.jobs[key].add(answer.json["id"])
        return True


def body(key: str) -> dict[str, Any]:
    return job_of(people(3), plan=EXTRACT, labels={"of": key})


def serving(stack: Stack) -> psutil.Process:
    """The process that answers: gunicorn's child, which it replaces when it dies."""
    [parent] = stack.processes["api"]

    def child() -> psutil.Process | None:
        found = psutil.Process(parent.pid).children()
        return found[0] if found else None

    return eventually(child, within=30, every=0.005)


def assert_one_job_each(stack: Stack, told: Told) -> None:
    stored = stack.rows(
        "SELECT labels->>'of', array_agg(id) FROM jobs WHERE labels->>'of' ~ '^key-' GROUP BY 1"
    )
    assert {key: set(ids) for key, ids in stored} == told.jobs
    assert {len(ids) for ids in told.jobs.values()} == {1}
    halves = """SELECT count(*) FROM jobs j WHERE NOT EXISTS (SELECT FROM idempotency_keys i
      WHERE i.body->>'id' = j.id)"""
    assert stack.scalar(halves) == 0


@contextmanager
def held_commits(stack: Stack) -> Iterator[Callable[[], bool]]:
    """Let no transaction with a new job end; yield whether one waits to."""
    stack.rows(
        """CREATE FUNCTION hold_commit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock_shared(4712); RETURN NULL; END $$"""
    )
    stack.rows(
        """CREATE CONSTRAINT TRIGGER hold_commit AFTER INSERT ON jobs DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION hold_commit()"""
    )
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(stack.database_url, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(4712)")
        yield lambda: stack.scalar(waits) > 0
    stack.rows("DROP FUNCTION hold_commit() CASCADE")
