"""What the budget's tests share: a project, jobs with budgets, and a recount of the books."""

from typing import Any

from sqlalchemy import Connection, Engine, text

from shared.database import jobs, keys, spend
from shared.domain.budget import MEASURES, Account, Ask, Budget, Spend
from shared.domain.ids import new_id

LEASE_S = 30.0


def new_project(tx: Connection) -> str:
    """Return the id of a new project."""
    return keys.insert_project(tx, new_id("prj"), new_id("req"))


def new_job(tx: Connection, project_id: str, budget: dict[str, Any] | None = None) -> str:
    """Return the id of a new job whose policy has this budget; its account is not open."""
    job_id = new_id("job")
    policy = {"budget": budget or {}}
    made = jobs.NewJob(
        id=job_id, project_id=project_id, key_id=None, mode="batch", goal="g", planning="given",
        given_plan=None, output=None, policy=policy, priority=5, inputs=(),
    )  # fmt: skip
    jobs.insert(tx, made)
    return job_id


def open_job(tx: Connection, project_id: str, **budget: Any) -> str:
    """Return the id of a new job with an open account."""
    job_id = new_job(tx, project_id, budget)
    assert spend.open_account(tx, job_id, Budget())
    return job_id


def tokens(number: int) -> Spend:
    """Return an amount of tokens."""
    return Spend(tokens=number)


def ask(least: int, wanted: int | None = None) -> Ask:
    """Return an ask for tokens."""
    return Ask(tokens(least), tokens(wanted or least))


def books(engine: Engine, account_id: str) -> Account:
    """Return an account that must be there."""
    with engine.connect() as connection:
        found = spend.totals(connection, account_id)
    assert found is not None
    return found


def recount(engine: Engine, column: str, owner: str) -> Account:
    """Return the books as the slices of processes add up to them; `column` = job_id, project_id."""
    sums = ", ".join(
        f"coalesce(sum({kind}_{m}), 0)::bigint AS {kind}_{m}"
        for kind in ("spent", "reserved", "unknown")
        for m in MEASURES
    )
    with engine.connect() as connection:
        row = connection.execute(
            text(f"SELECT {sums} FROM spend WHERE {column} = :owner"),  # noqa: S608 - constants
            {"owner": owner},
        ).mappings().one()  # fmt: skip
    parts = {
        kind: Spend(*(row[f"{kind}_{m}"] for m in MEASURES))
        for kind in ("spent", "reserved", "unknown")
    }
    return Account("job" if column == "job_id" else "project", Budget(), **parts)


def assert_books_add_up(engine: Engine, job_id: str, project_id: str) -> None:
    """The accounts equal what the slices add up to."""
    for column, owner in (("job_id", job_id), ("project_id", project_id)):
        kept, counted = books(engine, owner), recount(engine, column, owner)
        assert (kept.spent, kept.reserved, kept.unknown) == (
            counted.spent, counted.reserved, counted.unknown,
        )  # fmt: skip
