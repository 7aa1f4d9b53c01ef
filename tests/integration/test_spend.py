import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from shared.database import spend
from shared.database.engine import retrying
from shared.domain.budget import NOTHING, Account, Ask, Budget, Busy, Exhausted, Spend
from tests.eventually import eventually
from tests.integration.spend_books import (
    LEASE_S,
    ask,
    assert_books_add_up,
    books,
    new_job,
    new_project,
    open_job,
    tokens,
)


@pytest.fixture
def project(database: Engine) -> str:
    with database.begin() as tx:
        return new_project(tx)


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Return what `work(number)` returned in so many threads at once; the first error is raised."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def reserve(tx: Connection, **asked: Any) -> spend.Reserved | Busy | Exhausted:
    """Reserve in one transaction of its own."""
    return spend.reserve(tx, **{"lease_s": LEASE_S, **asked})


def settle(tx: Connection, **told: Any) -> Spend:
    """Settle in one transaction of its own."""
    return spend.settle(tx, lease_s=LEASE_S, **told)


def test_a_job_without_a_budget_gets_the_projects_default(database: Engine, project: str) -> None:
    with database.begin() as tx:
        spend.set_project_budgets(tx, project, budget=Budget(), default=Budget(tokens=7))
        silent, spoken = new_job(tx, project), new_job(tx, project, {"usd": 2})
        for job_id in (silent, spoken):
            assert spend.open_account(tx, job_id, Budget(tokens=99))
    assert books(database, silent).budget == Budget(tokens=7)
    assert books(database, spoken).budget == Budget(microusd=2_000_000)


def test_without_any_other_budget_the_deployments_holds(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = new_job(tx, project)
        assert spend.open_account(tx, job_id, Budget(tokens=99))
    assert books(database, job_id).budget == Budget(tokens=99)


def test_opening_an_account_twice_changes_nothing(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=100)
        assert isinstance(spend.reserve(tx, job_id, "w1", ask(10), LEASE_S), spend.Reserved)
        assert spend.open_account(tx, job_id, Budget())
        assert not spend.open_account(tx, "job_nobody", Budget())
    assert books(database, job_id).reserved == tokens(10)


def test_a_reserved_slice_is_in_the_books_of_job_and_project(
    database: Engine, project: str
) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=800)
        got = spend.reserve(tx, job_id, "w1", ask(10, 500), LEASE_S)
    assert got == spend.Reserved(tokens(100), NOTHING)
    assert books(database, job_id).reserved == books(database, project).reserved == tokens(100)
    assert_books_add_up(database, job_id, project)


def test_settling_books_what_was_spent_and_keeps_the_rest(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=800)
        spend.reserve(tx, job_id, "w1", ask(100), LEASE_S)
        left = spend.settle(tx, job_id, "w1", tokens(30), tokens(70), LEASE_S)
    assert left == tokens(70)
    found = books(database, job_id)
    assert (found.spent, found.reserved) == (tokens(30), tokens(70))
    assert_books_add_up(database, job_id, project)


def test_settling_the_same_again_changes_nothing(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=800)
        spend.reserve(tx, job_id, "w1", ask(100), LEASE_S)
    for _ in range(3):
        with database.begin() as tx:
            spend.settle(tx, job_id, "w1", tokens(30), tokens(70), LEASE_S)
    assert books(database, job_id).spent == tokens(30)
    assert_books_add_up(database, job_id, project)


def test_an_older_settlement_that_comes_late_takes_nothing_back(
    database: Engine, project: str
) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=800)
        spend.reserve(tx, job_id, "w1", ask(100), LEASE_S)
        spend.settle(tx, job_id, "w1", tokens(50), tokens(50), LEASE_S)
        spend.settle(tx, job_id, "w1", tokens(30), tokens(70), LEASE_S)
    found = books(database, job_id)
    assert (found.spent, found.reserved) == (tokens(50), tokens(50))


def test_a_released_slice_can_be_had_by_another(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=100)
        spend.reserve(tx, job_id, "w1", ask(100), LEASE_S)
        assert spend.reserve(tx, job_id, "w2", ask(90), LEASE_S) == Busy("job", "tokens")
        spend.release(tx, job_id, "w1", tokens(10))
        assert isinstance(spend.reserve(tx, job_id, "w2", ask(90), LEASE_S), spend.Reserved)
    assert_books_add_up(database, job_id, project)


def test_a_spent_budget_is_exhausted_until_it_is_raised(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=100)
        spend.reserve(tx, job_id, "w1", ask(100), LEASE_S)
        spend.release(tx, job_id, "w1", tokens(95))
        full = spend.reserve(tx, job_id, "w1", ask(10), LEASE_S)
        assert full == Exhausted("job", "tokens", 100, 95)
        assert spend.set_budget(tx, job_id, Budget(tokens=200))
        got = spend.reserve(tx, job_id, "w1", ask(10), LEASE_S)
    assert got == spend.Reserved(tokens(10), tokens(95))


def test_a_limit_that_was_changed_since_is_no_reason_to_pause(
    database: Engine, project: str
) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, usd=1.1, tokens=100)
        found = Exhausted("job", "microusd", 1_100_000, 1_099_999).reason()
        assert spend.is_at_limit(tx, job_id, found)
        assert not spend.is_at_limit(tx, job_id, found | {"scope": "project"})
        spend.set_budget(tx, job_id, Budget(microusd=2_000_000, tokens=100))
        assert not spend.is_at_limit(tx, job_id, found)


def test_jobs_share_the_budget_of_their_project(database: Engine, project: str) -> None:
    with database.begin() as tx:
        spend.set_project_budgets(tx, project, budget=Budget(tokens=100), default=Budget())
        one, other = open_job(tx, project), open_job(tx, project)
        spend.reserve(tx, one, "w1", ask(80), LEASE_S)
        assert spend.reserve(tx, other, "w1", ask(30), LEASE_S) == Busy("project", "tokens")
        spend.release(tx, one, "w1", tokens(80))
        full = spend.reserve(tx, other, "w1", ask(30), LEASE_S)
    assert full == Exhausted("project", "tokens", 100, 80)


def test_a_slice_whose_lease_ran_out_is_booked_as_unknown(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=100)
        spend.reserve(tx, job_id, "lost", ask(60), 0.0)
        spend.reserve(tx, job_id, "alive", ask(20), LEASE_S)
        spend.settle(tx, job_id, "lost", tokens(25), tokens(35), 0.0)
    with database.begin() as tx:
        assert spend.expire(tx) == job_id
    with database.begin() as tx:
        assert spend.expire(tx) is None
    found = books(database, job_id)
    assert (found.spent, found.reserved, found.unknown) == (tokens(25), tokens(20), tokens(35))
    assert_books_add_up(database, job_id, project)


def test_what_is_unknown_counts_as_spent(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=100)
        spend.reserve(tx, job_id, "lost", ask(60), 0.0)
    with database.begin() as tx:
        spend.expire(tx)
        full = spend.reserve(tx, job_id, "w", ask(50), LEASE_S)
    assert full == Exhausted("job", "tokens", 100, 60)


def test_a_process_that_comes_back_makes_the_unknown_known(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=100)
        spend.reserve(tx, job_id, "frozen", ask(60), 0.0)
    with database.begin() as tx:
        spend.expire(tx)
        left = spend.settle(tx, job_id, "frozen", tokens(40), tokens(20), LEASE_S)
    assert left == NOTHING  # its slice is gone
    found = books(database, job_id)
    assert (found.spent, found.unknown, found.reserved) == (tokens(40), tokens(20), NOTHING)
    assert_books_add_up(database, job_id, project)


def test_calls_without_an_answer_are_unknown_beside_what_is_known(
    database: Engine, project: str
) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=100)
        spend.reserve(tx, job_id, "w1", ask(60), LEASE_S)
    for _ in range(2):  # twice is the same as once
        with database.begin() as tx:
            spend.settle(
                tx, job_id, "w1", tokens(20), tokens(10), LEASE_S, unanswered=tokens(30)
            )  # fmt: skip
    found = books(database, job_id)
    assert (found.spent, found.reserved, found.unknown) == (tokens(20), tokens(10), tokens(30))
    assert_books_add_up(database, job_id, project)

    # and what is told later of answered calls does not make them known
    with database.begin() as tx:
        spend.settle(tx, job_id, "w1", tokens(30), NOTHING, LEASE_S, unanswered=tokens(30))
        got = spend.reserve(tx, job_id, "w1", ask(5), LEASE_S)
    assert got == spend.Reserved(tokens(5), tokens(30), tokens(30))
    assert books(database, job_id).unknown == tokens(30)


def test_what_a_lost_process_held_and_what_it_was_not_answered_are_both_unknown(
    database: Engine, project: str
) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=100)
        spend.reserve(tx, job_id, "lost", ask(60), 0.0)
        spend.settle(tx, job_id, "lost", NOTHING, tokens(35), 0.0, unanswered=tokens(25))
    with database.begin() as tx:
        assert spend.expire(tx) == job_id
    with database.begin() as tx:
        assert spend.expire(tx) is None
    assert books(database, job_id).unknown == tokens(60)
    assert_books_add_up(database, job_id, project)


def test_what_outcomes_do_not_account_for_is_told_as_unknown_cost(
    database: Engine, project: str
) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, usd=1)
        amount = Spend(microusd=500)
        spend.reserve(tx, job_id, "w1", Ask(amount, amount), LEASE_S)
        spent, left = Spend(microusd=300), Spend(microusd=150)
        spend.settle(tx, job_id, "w1", spent, left, LEASE_S, unanswered=Spend(microusd=50))
        assert spend.cost_unknown(tx, [job_id, "job_nobody"]) == {job_id: 50}

        # of the 300 of a final job outcomes stand for 280: the rest was paid for what was lost
        tx.exec_driver_sql(
            """UPDATE jobs SET status = 'succeeded', finished_at = now(), coverage = '{}',
              usage = '{"cost_microusd": 280}' WHERE id = %s""",
            (job_id,),
        )
        assert spend.cost_unknown(tx, [job_id]) == {job_id: 70}


def test_an_account_opened_while_the_budget_is_changed_has_the_new_one(
    database: Engine, project: str
) -> None:
    # given somebody who holds the job to change its budget
    with database.begin() as tx:
        job_id = new_job(tx, project, {"tokens": 100})

    def open_it() -> bool:
        with database.begin() as tx:
            return spend.open_account(tx, job_id, Budget())

    with ThreadPoolExecutor(1) as pool:
        with database.begin() as changing:
            changing.exec_driver_sql(
                """UPDATE jobs SET policy = '{"budget": {"tokens": 900}}' WHERE id = %s""",
                (job_id,),
            )
            # when a process opens the account meanwhile
            opening = pool.submit(open_it)
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            eventually(lambda: opening.done() or changing.execute(waits).scalar_one() > 0)
            assert not spend.set_budget(changing, job_id, Budget(tokens=900))  # not there yet
        assert opening.result(10)

    # then it opened it with what was changed
    assert books(database, job_id).budget == Budget(tokens=900)


def test_tokens_stand_in_for_money_without_a_price_after_a_change_too(
    database: Engine, project: str
) -> None:
    with database.begin() as tx:
        job_id = new_job(tx, project, {"usd": 1})
        spend.open_account(tx, job_id, Budget(), 5_000)
        spend.set_budget(tx, job_id, Budget(microusd=2_000_000))  # as PATCH does
        spend.open_account(tx, job_id, Budget(), 5_000)
    assert books(database, job_id).budget == Budget(microusd=2_000_000, tokens=5_000)
    with database.begin() as tx:
        spend.set_budget(tx, job_id, Budget(microusd=2_000_000, tokens=9_000))
        spend.open_account(tx, job_id, Budget(), 5_000)
    assert books(database, job_id).budget == Budget(microusd=2_000_000, tokens=9_000)


def test_a_lease_that_is_extended_does_not_run_out(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=100)
        spend.reserve(tx, job_id, "w1", ask(60), 0.0)
        assert spend.extend(tx, "w1", LEASE_S) == 1
        assert spend.extend(tx, "w2", LEASE_S) == 0
    with database.begin() as tx:
        assert spend.expire(tx) is None


def test_money_tokens_and_time_are_limited_each_for_itself(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, usd=1, seconds=2.5)
        one = Ask(Spend(10, 1_000_000, 500), Spend(10, 1_000_000, 500))
        assert isinstance(spend.reserve(tx, job_id, "w1", one, LEASE_S), spend.Reserved)
        long = Ask(Spend(10, 0, 3_000), Spend(10, 0, 3_000))
        assert spend.reserve(tx, job_id, "w1", long, LEASE_S) == Exhausted("job", "ms", 2_500, 0)
    assert books(database, job_id).reserved == Spend(10, 1_000_000, 500)


def test_a_job_without_an_account_cannot_reserve(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = new_job(tx, project)
        with pytest.raises(KeyError):
            spend.reserve(tx, job_id, "w1", ask(1), LEASE_S)


def test_deleting_a_job_keeps_what_its_project_spent(database: Engine, project: str) -> None:
    with database.begin() as tx:
        job_id = open_job(tx, project, tokens=100)
        spend.reserve(tx, job_id, "w1", ask(50), LEASE_S)
        spend.release(tx, job_id, "w1", tokens(50))
        tx.exec_driver_sql("DELETE FROM jobs WHERE id = %s", (job_id,))
        assert spend.totals(tx, job_id) is None
    assert books(database, project).spent == tokens(50)


def test_eight_threads_never_get_more_than_there_is(database: Engine, project: str) -> None:
    with database.begin() as tx:
        spend.set_project_budgets(tx, project, budget=Budget(tokens=15_000), default=Budget())
        ids = [open_job(tx, project, tokens=10_000) for _ in range(2)]

    def reserve_all(number: int) -> int:
        draw, job_id, granted = random.Random(number), ids[number % 2], 0
        while True:
            asked = ask(draw.randint(1, 40), draw.randint(41, 4_000))
            got = retrying(
                database, partial(reserve, job_id=job_id, worker_id=f"w{number}", ask=asked)
            )
            if isinstance(got, Busy):
                return granted
            granted += got.granted.tokens

    granted = in_threads(8, reserve_all)
    by_job = {ids[0]: sum(granted[0::2]), ids[1]: sum(granted[1::2])}
    assert 15_000 - 80 < sum(granted) <= 15_000  # nobody stopped while two calls were left
    for job_id, had in by_job.items():
        assert had <= 10_000
        assert books(database, job_id).reserved == tokens(had)
    assert books(database, project).reserved == tokens(sum(granted))


def test_threads_that_reserve_settle_and_are_lost_leave_books_that_add_up(
    database: Engine, project: str
) -> None:
    """No update is lost and nothing deadlocks, whatever runs beside what."""
    with database.begin() as tx:
        spend.set_project_budgets(tx, project, budget=Budget(tokens=50_000), default=Budget())
        ids = [open_job(tx, project, tokens=20_000) for _ in range(3)]

    def live(number: int) -> None:
        draw, worker_id = random.Random(number), f"w{number}"
        spent, holding = dict.fromkeys(ids, 0), dict.fromkeys(ids, 0)
        for _ in range(60):
            job_id, step = draw.choice(ids), draw.random()
            mine = {"job_id": job_id, "worker_id": worker_id}
            if step < 0.5:
                lease_s = 0.0 if draw.random() < 0.2 else LEASE_S
                work = partial(reserve, **mine, ask=ask(20, 200), lease_s=lease_s)
                got = retrying(database, work)
                holding[job_id] += got.granted.tokens if isinstance(got, spend.Reserved) else 0
            elif step < 0.9:
                paid = draw.randint(0, holding[job_id])
                spent[job_id] += paid
                left = tokens(holding[job_id] - paid)
                work = partial(settle, **mine, spent=tokens(spent[job_id]), holding=left)
                holding[job_id] = retrying(database, work).tokens
            else:
                retrying(database, spend.expire)

    in_threads(8, live)
    for job_id in ids:
        assert_books_add_up(database, job_id, project)
        found: Account = books(database, job_id)
        assert (found.spent + found.reserved + found.unknown).tokens <= 20_000
        assert found.spent.tokens > 0
