"""Postgres crashes, loses sessions, freezes, has no connection left: no row, no call is lost."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest

from services.cli.embedded.datastores import Datastores
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.model_jobs import model_settings
from tests.faults.own_postgres import crash, frozen
from tests.faults.postgres_load import Load, assert_nothing_lost, busy, idle
from tests.stack import ROOT, Stack

pytestmark = pytest.mark.long

CRASHES = 4
CUTS = 40
SEED = 7
POOL = 3  # connections of a process, and as many beyond
WATCHED_S = 6.0  # a process whose threads or loop stand still for so long is ended
SHORT_WATCH = f"""
import services.worker.watchdog as watchdog
watchdog.LEAST_S = {WATCHED_S}
from services.worker.app import main
main()
"""
FROZEN_S = 12.0  # longer than that, and than three leases, which is a watchdog's limit as well
SERVED = "served"  # the role of the services: no superuser, so that its connections can be limited
SESSIONS = """SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'apwa-%%'
  AND datname = current_database() ORDER BY pid"""
LOST = "SELECT count(*) FROM shard_deliveries WHERE ending = 'lost'"


@pytest.fixture(scope="module")
def own_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datastores]:
    """Stores whose Postgres keeps what it committed when it is killed."""
    made = Datastores(tmp_path_factory.mktemp("own-stores"))
    made.start_postgres()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def started_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    folder = tmp_path_factory.mktemp("model")
    with FakeModel(folder, latency_ms={"uniform": [100, 500]}) as made:
        yield made


@pytest.fixture(scope="module")
def started_stack(
    own_stores: Datastores, started_model: FakeModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Services with few connections each, whose workers must not stand still for long."""
    extra = {
        "APWA_SHARD_SIZE": "10", "APWA_LOOP_CONCURRENCY": "8", "APWA_DB_POOL_SIZE": str(POOL),
        "APWA_SETTLE_BATCH": "5",
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("stack")
    made = Stack(folder, as_served(own_stores), {**model_settings(started_model), **extra})
    for role in ("api", "planner", "collector"):
        made.start(role)
    made.processes["worker"] = [watched_worker(made, number) for number in range(2)]
    eventually(made.is_ready, within=90)
    eventually(lambda: made.scalar("SELECT count(*) FROM workers") == 2, within=90)
    yield made
    made.stop()


@pytest.fixture
def model(started_model: FakeModel) -> FakeModel:
    started_model.forget()
    return started_model


@pytest.fixture
def stack(started_stack: Stack) -> Iterator[Stack]:
    """The stack; whatever befell Postgres, no process of it may have ended."""
    yield started_stack
    ended = {
        role: [one.returncode for one in processes if one.poll() is not None]
        for role, processes in started_stack.processes.items()
    }
    assert not any(ended.values()), ended


def test_a_postgres_that_crashes_under_load_loses_nothing_that_was_acknowledged(
    stack: Stack, own_stores: Datastores, model: FakeModel
) -> None:
    die, load = random.Random(SEED), Load(stack, "crash", under_way=3)
    for _ in range(CRASHES):
        # when it crashes while calls are under way
        eventually(busy(model), within=30, every=0.01)
        time.sleep(die.uniform(0.2, 1.0))
        crash(own_stores)

        # then a client is asked to come again soon
        answer = load.ask("GET", "/v1/jobs")
        assert answer is not None
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0

        # and meanwhile answers come in that can be written nowhere
        eventually(idle(model), within=30)
        own_stores.start_postgres()
    jobs = load.end()

    # then what was told to be stored is there, each row once
    again = assert_nothing_lost(load, model, jobs)
    tell(f"crashes {CRASHES}", load, again, stack)
    assert again <= CRASHES


def test_sessions_ended_at_random_moments_cost_no_row_and_no_call(
    stack: Stack, model: FakeModel
) -> None:
    die, load, ended = random.Random(SEED), Load(stack, "cut"), 0
    while ended < CUTS:
        eventually(busy(model), within=30, every=0.01)
        sessions = [pid for (pid,) in stack.rows(SESSIONS)]
        if sessions:
            stack.rows("SELECT pg_terminate_backend(%s)", die.choice(sessions))
            ended += 1
        time.sleep(die.uniform(0, 0.15))
    jobs = load.end()
    again = assert_nothing_lost(load, model, jobs)
    tell(f"sessions ended {ended}", load, again, stack)
    assert again <= CUTS // 10


def test_a_postgres_that_freezes_longer_than_leases_costs_no_call(
    stack: Stack, own_stores: Datastores, model: FakeModel
) -> None:
    # given work under way
    load = Load(stack, "freeze", under_way=3)
    eventually(busy(model), within=30, every=0.01)
    eventually(lambda: stack.scalar("SELECT count(*) FROM results") > 5, within=30)

    # when Postgres says nothing for longer than a watchdog waits, either
    with frozen(own_stores):
        began = time.monotonic()
        with ThreadPoolExecutor(12) as clients:
            asked = [clients.submit(load.ask, "GET", "/v1/jobs") for _ in range(12)]
            answers = [one.result() for one in asked]
        answered_s = time.monotonic() - began
        time.sleep(max(0.0, FROZEN_S - answered_s))

    # then clients heard so in bounded time, and nobody lost what he held in memory
    assert [one.status for one in answers if one is not None] == [503] * 12
    jobs = load.end()
    again = assert_nothing_lost(load, model, jobs)
    tell(f"frozen, answered after {answered_s:.1f} s", load, again, stack)
    assert again == 0
    assert stack.scalar(LOST) == 0
    assert '"event": "database_was_away"' in stack.logs("collector")


def test_a_database_without_connections_is_told_at_once_and_recovered_from(
    stack: Stack, own_stores: Datastores, model: FakeModel
) -> None:
    load = Load(stack, "none")
    eventually(busy(model), within=30, every=0.01)

    # when there is no connection left for the services
    with no_connections(own_stores):
        refused = [load.ask("GET", "/v1/jobs") for _ in range(5)]
        slowest_s = load.slowest_s
        eventually(idle(model), within=30)

    # then each request was answered, and all goes on without help
    assert [one.status for one in refused if one is not None] == [503] * 5
    again = assert_nothing_lost(load, model, load.end())
    tell(f"no connections, slowest answer {slowest_s:.1f} s", load, again, stack)
    assert again == 0


def test_requests_beyond_what_the_pool_holds_are_told_to_come_again(
    stack: Stack, model: FakeModel
) -> None:
    # given a table that every request reads, locked by somebody
    load, beyond = Load(stack, "pool", under_way=0), 4
    with (
        psycopg.connect(stack.database_url) as holder,
        ThreadPoolExecutor(2 * POOL + beyond) as clients,
    ):
        holder.execute("LOCK TABLE api_keys")

        # when more requests come than the api may have connections
        asked = [clients.submit(load.ask, "GET", "/v1/jobs") for _ in range(2 * POOL + beyond)]
        eventually(lambda: load.answers[503] == beyond, within=30)
        print(f"\n{beyond} requests without a connection answered after {load.slowest_s:.1f} s")
        holder.rollback()

        # then the others wait for the lock, and these do not
        answers = [one.result() for one in asked]
    assert sorted(one.status for one in answers if one) == [200] * 2 * POOL + [503] * beyond
    assert all("Retry-After" in answer.headers for answer in load.refused)
    assert load.end() == []


def tell(what: str, load: Load, again: int, stack: Stack) -> None:
    """Print the figures of a test."""
    print(
        f"\n{what}: jobs {len(load.jobs)}, units {len(load.jobs) * load.rows}, calls paid again "
        f"{again}, answers {dict(load.answers)}, lost claims so far {stack.scalar(LOST)}"
    )


def as_served(stores: Datastores) -> str:
    """Return the address of an empty database for a role that is no superuser."""
    url = stores.create_database()
    password, name = str(urlsplit(url).password), urlsplit(url).path[1:]
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {SERVED} LOGIN PASSWORD '{password}'")
        owner.execute(f"ALTER DATABASE {name} OWNER TO {SERVED}")
    return url.replace(f"//{urlsplit(url).username}:", f"//{SERVED}:")


def watched_worker(stack: Stack, number: int) -> "subprocess.Popen[bytes]":
    """Start a worker whose watchdog has little patience."""
    with (stack.folder / f"worker-{number}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", SHORT_WATCH],
            cwd=ROOT, env={**os.environ, **stack.environ}, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip


@contextmanager
def no_connections(stores: Datastores) -> Iterator[None]:
    """Refuse the services every connection, those they had included."""
    with psycopg.connect(stores.postgres.url(), autocommit=True) as superuser:
        superuser.execute(f"ALTER ROLE {SERVED} CONNECTION LIMIT 0")
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [SERVED]
        )
        yield
        superuser.execute(f"ALTER ROLE {SERVED} CONNECTION LIMIT -1")
