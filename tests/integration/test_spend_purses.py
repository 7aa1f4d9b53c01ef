import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from shared.database import spend
from shared.domain.budget import NOTHING, Budget, Exhausted, Spend
from shared.domain.waiting import Waiting
from shared.llm.budget import Purses
from tests.eventually import eventually
from tests.integration.spend_books import (
    LEASE_S,
    assert_books_add_up,
    books,
    new_job,
    new_project,
    tokens,
)


@pytest.fixture
def project(database: Engine) -> str:
    with database.begin() as tx:
        return new_project(tx)


@contextmanager
def process(
    database: Engine, worker_id: str, *, lease_s: float = LEASE_S, default: Budget | None = None
) -> Iterator[tuple[Purses, list[Exhausted]]]:
    """The purses of one process, and what was said to be exhausted."""
    told: list[Exhausted] = []
    purses = Purses(
        database, worker_id, lease_s=lease_s, default=default or Budget(),
        exhausted=lambda _job_id, why: told.append(why),
    )  # fmt: skip
    try:
        yield purses, told
    finally:
        purses.close()


def job_with(database: Engine, project: str, **budget: object) -> str:
    with database.begin() as tx:
        return new_job(tx, project, budget)


async def spend_all(purses: Purses, job_id: str, call: Spend, most: int = 10_000) -> int:
    """Make calls of this cost until the budget is used up (or `most`); return how many."""
    for made in range(most):
        answer = await purses.of(job_id).may_spend_soon(call, patience_s=20)
        if answer is not True:
            assert answer.final
            return made
        purses.of(job_id).spent(call, call)
    return most


def test_a_purse_fills_itself_and_settles_when_it_is_closed(database: Engine, project: str) -> None:
    job_id = job_with(database, project, tokens=8_000)
    with process(database, "w1") as (purses, _):
        assert asyncio.run(spend_all(purses, job_id, tokens(100), most=10)) == 10
        assert books(database, job_id).reserved.tokens > 0
    found = books(database, job_id)
    assert (found.spent, found.reserved) == (tokens(1_000), NOTHING)
    assert_books_add_up(database, job_id, project)


def test_a_job_that_says_nothing_has_the_deployments_budget(database: Engine, project: str) -> None:
    job_id = job_with(database, project)
    with process(database, "w1", default=Budget(tokens=500)) as (purses, told):
        assert asyncio.run(spend_all(purses, job_id, tokens(100))) == 5
        assert eventually(lambda: told)[0].limit == 500


def test_a_used_up_budget_is_told_and_a_raised_one_goes_on(database: Engine, project: str) -> None:
    job_id = job_with(database, project, tokens=1_000)
    with process(database, "w1") as (purses, told):
        assert asyncio.run(spend_all(purses, job_id, tokens(100))) == 10
        assert eventually(lambda: told) == [Exhausted("job", "tokens", 1_000, 1_000)]
        with database.begin() as tx:
            spend.set_budget(tx, job_id, Budget(tokens=1_500))
    with process(database, "w2") as (purses, _):  # the resumed job
        assert asyncio.run(spend_all(purses, job_id, tokens(100))) == 5
    assert books(database, job_id).spent == tokens(1_500)


def test_processes_together_spend_a_budget_and_no_more(database: Engine, project: str) -> None:
    job_id, calls = job_with(database, project, tokens=20_000), []
    with (
        process(database, "w1") as (one, _),
        process(database, "w2") as (two, _),
        process(database, "w3") as (three, _),
    ):

        def run(purses: Purses) -> None:
            calls.append(asyncio.run(spend_all(purses, job_id, tokens(70))))
            purses.beat()

        threads = [threading.Thread(target=run, args=(purses,)) for purses in (one, two, three)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 20_000 - 3 * 70 <= 70 * sum(calls) <= 20_000
    assert books(database, job_id).spent == tokens(70 * sum(calls))
    assert_books_add_up(database, job_id, project)


def test_calls_that_cost_more_than_estimated_go_over_by_no_more_than_the_excess(
    database: Engine, project: str
) -> None:
    job_id = job_with(database, project, tokens=1_000)
    with process(database, "w1") as (purses, _):

        async def scenario() -> None:
            while (await purses.of(job_id).may_spend_soon(tokens(50), patience_s=20)) is True:
                purses.of(job_id).spent(tokens(50), tokens(80))
                purses.beat()

        asyncio.run(scenario())
    assert 1_000 - 80 <= books(database, job_id).spent.tokens <= 1_000 + 80


def test_a_process_that_is_lost_leaves_its_slice_as_unknown(database: Engine, project: str) -> None:
    job_id = job_with(database, project, tokens=8_000)

    def expire() -> str | None:
        with database.begin() as tx:
            return spend.expire(tx)

    with process(database, "lost", lease_s=0.01) as (purses, _):
        asyncio.run(spend_all(purses, job_id, tokens(100), most=1))
        assert eventually(expire) == job_id
        found = books(database, job_id)
        assert found.unknown.tokens >= 100
        assert (found.reserved, found.spent) == (NOTHING, NOTHING)
    settled = books(database, job_id)  # it was not lost after all, and told
    assert settled.spent == tokens(100)
    assert settled.unknown == found.unknown - tokens(100)


def test_settling_beside_outcomes_is_part_of_their_transaction(
    database: Engine, project: str
) -> None:
    job_id = job_with(database, project, tokens=8_000)
    with process(database, "w1") as (purses, _):
        asyncio.run(spend_all(purses, job_id, tokens(100), most=1))
        with database.connect() as connection:
            purses.settle(connection, job_id)
            connection.rollback()
        assert books(database, job_id).spent == NOTHING
        with database.begin() as tx:
            purses.settle(tx, job_id)
        assert books(database, job_id).spent == tokens(100)


def test_a_purse_without_a_database_says_wait_and_not_go(project: str, database: Engine) -> None:
    job_id = job_with(database, project, tokens=8_000)
    database.dispose()
    with process(database, "w1", lease_s=0.1) as (purses, _):
        purses.beat()
        answer = purses.of(job_id).may_spend(tokens(100))
        assert isinstance(answer, Waiting)
        assert not answer.final
