"""The link to Postgres is cut at COMMITs, or slow: each unit is there once all the same."""

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from services.cli.embedded.datastores import Datastores
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.model_jobs import labels_of, model_settings, tickets
from tests.faults.postgres_link import ANSWERED, BEFORE, SENT, PostgresLink
from tests.faults.postgres_load import Load, assert_nothing_lost
from tests.stack import Answer, Stack

pytestmark = pytest.mark.long

SEED = 5
EVERY = 6  # every so many COMMITs one is cut
CUTS = 60
UNHEARD_CLAIMS = 4
LATENCY_S = 0.05  # each way to Postgres; a transaction takes four and more
SLOW_ROWS = 15
LOST = "SELECT count(*) FROM shard_deliveries WHERE ending = 'lost'"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    folder = tmp_path_factory.mktemp("model")
    with FakeModel(folder, latency_ms={"uniform": [50, 200]}) as made:
        yield made


@pytest.fixture(scope="module")
def started(
    stores: Datastores, model: FakeModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, PostgresLink]]:
    """Services that reach their database through a link; the test itself looks past it."""
    url = stores.create_database()
    with PostgresLink(url) as link:
        extra = {"APWA_DATABASE_URL": link.url, "APWA_SHARD_SIZE": "5"}
        folder = tmp_path_factory.mktemp("stack")
        stack = Stack(folder, url, {**model_settings(model), **extra}).start_all(workers=2)
        yield stack, link
        stack.stop()


@pytest.fixture
def stack(started: tuple[Stack, PostgresLink]) -> Stack:
    return started[0]


@pytest.fixture
def link(started: tuple[Stack, PostgresLink], model: FakeModel) -> Iterator[PostgresLink]:
    model.forget()
    yield started[1]
    started[1].cut, started[1].latency_s = lambda _said: None, 0.0


def test_commits_whose_answer_is_lost_are_made_once(
    stack: Stack, link: PostgresLink, model: FakeModel
) -> None:
    # given a link that is cut at COMMITs: before, during, or after the server did it
    cutter = Cutter(random.Random(SEED))
    link.cut = cutter.cut
    load = Load(stack, "commits", rows=20)

    # when services work through it
    eventually(lambda: cutter.cuts.total() >= CUTS, within=60)
    link.cut = lambda _said: None
    jobs = load.end()

    # then each job, row and count is there once
    again = assert_nothing_lost(load, model, jobs)
    print(
        f"\nCOMMITs cut {dict(cutter.cuts)}: jobs {len(jobs)}, units {len(jobs) * load.rows}, "
        f"calls paid again {again}, answers {dict(load.answers)}, lost claims {stack.scalar(LOST)}"
    )
    assert again <= CUTS // 10


def test_a_job_stored_by_a_commit_nobody_heard_of_is_found_by_its_key(
    stack: Stack, link: PostgresLink
) -> None:
    """The api cannot know whether it stored the job; it says so, and asked again it tells."""
    body, key, before = labels_of(tickets(3)), {"Idempotency-Key": "unheard"}, stored(stack)

    # when the answer to the COMMIT of the job is lost
    link.cut = lambda said: ANSWERED if b"INSERT INTO jobs " in said else None
    first = stack.post("/v1/jobs", body, **key)
    link.cut = lambda _said: None

    # then the client hears 503, and asks again
    assert (first.status, first.json["code"]) == (503, "unavailable")
    assert int(first.headers["Retry-After"]) > 0
    assert stored(stack) == before + 1

    def told() -> Answer | None:
        answer = stack.post("/v1/jobs", body, **key)
        return answer if answer.status == 202 else None

    answer = eventually(told, within=30)
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert stored(stack) == before + 1
    assert stack.wait(answer.json["id"])["status"] == "succeeded"


def test_a_shard_claimed_by_a_commit_nobody_heard_of_goes_back_at_once(
    stack: Stack, link: PostgresLink, model: FakeModel
) -> None:
    # when the answers to the COMMITs of the first claims are lost
    cutter, lost_before = Cutter(random.Random(SEED), [ANSWERED], 1), stack.scalar(LOST)
    link.cut = lambda said: cutter.cut(said) if b"claimed_at = clock_timestamp()" in said else None
    load = Load(stack, "claims", rows=20, under_way=1)
    eventually(lambda: cutter.cuts.total() >= UNHEARD_CLAIMS, within=30)
    link.cut = lambda _said: None

    # then nobody waits for the ends of their leases, and no shard is blamed
    again = assert_nothing_lost(load, model, load.end())
    assert (again, stack.scalar(LOST) - lost_before) == (0, 0)


def test_a_slow_postgres_costs_time_and_nothing_else(
    stack: Stack, link: PostgresLink, model: FakeModel
) -> None:
    lost_before = stack.scalar(LOST)
    load = Load(stack, "slow", rows=SLOW_ROWS, under_way=1)
    eventually(lambda: load.jobs, within=30)
    link.latency_s = LATENCY_S
    jobs = load.end()
    again = assert_nothing_lost(load, model, jobs)
    print(
        f"\n{LATENCY_S} s each way: jobs {len(jobs)}, units {len(jobs) * SLOW_ROWS}, again {again}"
    )
    assert (again, stack.scalar(LOST) - lost_before) == (0, 0)


class Cutter:
    """Cuts the link at every so many COMMITs, each time in another way; counts them."""

    def __init__(
        self, die: random.Random, ways: Sequence[str] = (BEFORE, SENT, ANSWERED), every: int = EVERY
    ) -> None:
        self._die, self._ways, self._every = die, ways, every
        self._lock, self._next = threading.Lock(), every
        self.cuts: Counter[str] = Counter()

    def cut(self, _said: bytes) -> str | None:
        with self._lock:
            self._next -= 1
            if self._next > 0:
                return None
            self._next = self._die.randint(1, 2 * self._every)
            where = self._die.choice(self._ways)
            self.cuts[where] += 1
            return where


def stored(stack: Stack) -> int:
    return int(stack.scalar("SELECT count(*) FROM jobs"))
