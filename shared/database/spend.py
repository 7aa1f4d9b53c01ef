"""Budgets in the database: slices reserved by processes, settled after, never lost or doubled.

Locks are taken in one order everywhere: a process's slice, the job's account, the project's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from shared.domain.budget import (
    MEASURES,
    NOTHING,
    Account,
    Ask,
    Budget,
    Busy,
    Exhausted,
    Spend,
    budget_of,
    first_given,
    for_unknown_price,
    slice_of,
)

_TRIES = 5  # another process took what was free between our look and our update


@dataclass(frozen=True, slots=True)
class Reserved:
    """A slice that is ours now; `settled` and `unanswered` are booked for this process so far."""

    granted: Spend
    settled: Spend
    unanswered: Spend = NOTHING


def _each(form: str) -> str:
    """Return `form` once for each measure, with commas: ``{m}`` stands for its name."""
    return ", ".join(form.replace("{m}", measure) for measure in MEASURES)


_ROOM = " AND ".join(
    f"(budget_{m} IS NULL OR :{m} = 0"
    f" OR spent_{m} + unknown_{m} + reserved_{m} + :{m} <= budget_{m})"
    for m in MEASURES
)


_TODAY = "CASE WHEN a.day = current_date THEN a.day_microusd ELSE 0 END"
_PER_DAY = "spend_microusd_per_day"  # of a project's quotas (shared/domain/quota.py)

# What settling and expiring share: the slice as it `was` (it is locked), what became of `mine`, and
# the same change made to the job's account and then (it reads what that returns) the project's.
_WAS = "was AS (SELECT * FROM spend WHERE job_id = :job_id AND worker_id = :worker_id)"
_KINDS = ("spent", "reserved", "unknown")
_CHANGE = ", ".join(
    _each(f"s.{kind}_{{m}} - was.{kind}_{{m}} AS more_{kind}_{{m}}") for kind in _KINDS
)
_CHANGED = ", ".join(_each(f"d.more_{kind}_{{m}}") for kind in _KINDS)
_ADD = ", ".join(_each(f"{kind}_{{m}} = a.{kind}_{{m}} + d.more_{kind}_{{m}}") for kind in _KINDS)
_BOOK = f"""job AS (UPDATE spend_accounts a SET {_ADD} FROM mine d WHERE a.id = d.job_id
    RETURNING d.project_id, {_CHANGED}),
  project AS (UPDATE spend_accounts a SET {_ADD}, day = current_date,
      day_microusd = greatest(0, {_TODAY} + d.more_spent_microusd + d.more_unknown_microusd)
    FROM job d WHERE a.id = d.project_id RETURNING a.id),
  told AS (INSERT INTO usage_hours AS u
      (job_id, stage, hour, capability, model, project_id, cost_unknown_microusd)
    SELECT d.job_id, '', date_trunc('hour', clock_timestamp()), '', '', d.project_id,
      d.more_unknown_microusd FROM mine d WHERE d.more_unknown_microusd <> 0
    ON CONFLICT (job_id, stage, hour, capability, model) DO UPDATE SET
      cost_unknown_microusd = u.cost_unknown_microusd + excluded.cost_unknown_microusd)"""


def open_account(
    connection: Connection, job_id: str, default: Budget, unpriced_tokens: int | None = None
) -> bool:
    """Open a job's account (and its project's): its policy's budget, else the project's default.

    `default` is the deployment's, for when neither is given. `unpriced_tokens` limits a budget of
    money alone where some model has no known price, also one that was changed since. Opens nothing
    the second time. False when there is no such job.
    """
    if _is_open(connection, job_id):
        if unpriced_tokens is not None:
            _stand_in(connection, job_id, unpriced_tokens)
        return True
    # Locked, because who changes the budget holds the job's row: else the account could be opened
    # with what the policy said before, and nobody would change it again.
    job = connection.execute(
        text(f"""SELECT j.project_id, j.policy, {_each("p.default_budget_{m} AS {m}")}
          FROM jobs j JOIN projects p ON p.id = j.project_id WHERE j.id = :id FOR SHARE OF j"""),
        {"id": job_id},
    ).mappings().one_or_none()  # fmt: skip
    if job is None:
        return False
    project_default = Budget(job["microusd"], job["tokens"], job["ms"])
    budget = first_given(budget_of(job["policy"]), project_default, default)
    if unpriced_tokens is not None:
        budget = for_unknown_price(budget, unpriced_tokens)
    _insert_account(connection, job_id, job["project_id"], job_id, budget)
    _insert_account(connection, job["project_id"], job["project_id"], None, Budget())
    return True


def set_budget(connection: Connection, account_id: str, budget: Budget) -> bool:
    """Change the limits of a job or a project (by its id); False when it has no account."""
    return connection.execute(
        text(f"UPDATE spend_accounts SET {_each('budget_{m} = :{m}')} WHERE id = :id"),
        {"id": account_id, **_limits(budget)},
    ).rowcount == 1  # fmt: skip


def set_project_budgets(
    connection: Connection, project_id: str, *, budget: Budget, default: Budget
) -> None:
    """Set what a project may spend in all, and what its jobs may where they do not say."""
    connection.execute(
        text(f"UPDATE projects SET {_each('default_budget_{m} = :{m}')} WHERE id = :id"),
        {"id": project_id, **_limits(default)},
    )
    connection.execute(
        text(f"""INSERT INTO spend_accounts (id, project_id, {_each("budget_{m}")})
          VALUES (:id, :id, {_each(":{m}")})
          ON CONFLICT (id) DO UPDATE SET {_each("budget_{m} = excluded.budget_{m}")}"""),
        {"id": project_id, **_limits(budget)},
    )


def totals(connection: Connection, account_id: str) -> Account | None:
    """Return the books of a job or a project; None when it has no account."""
    row = connection.execute(
        text("SELECT * FROM spend_accounts WHERE id = :id"), {"id": account_id}
    ).mappings().one_or_none()  # fmt: skip
    return _account(row) if row else None


def spent_today(connection: Connection, project_id: str) -> int:
    """Return what a project spent since midnight UTC, in micro-dollars; the unknown counts."""
    found = connection.execute(
        text(f"SELECT {_TODAY} FROM spend_accounts a WHERE a.id = :id"), {"id": project_id}
    ).scalar_one_or_none()
    return int(found or 0)


def cost_unknown(connection: Connection, job_ids: Sequence[str]) -> dict[str, int]:
    """Return by job what it may have paid for no settled outcome, in micro-dollars.

    Of a final job: what left its account, told or not, beyond what its `usage` accounts for. Of
    another: what is booked as unknown. Calls under way in live processes are in neither.
    """
    rows = connection.execute(
        text("""SELECT a.job_id, CASE WHEN j.finished_at IS NULL THEN a.unknown_microusd ELSE
            greatest(0, a.spent_microusd + a.unknown_microusd
              - coalesce((j.usage->>'cost_microusd')::bigint, 0)) END AS cost
          FROM spend_accounts a JOIN jobs j ON j.id = a.job_id WHERE a.job_id = ANY(:ids)"""),
        {"ids": list(job_ids)},
    )
    return {row.job_id: int(row.cost) for row in rows}


def reserve(
    connection: Connection, job_id: str, worker_id: str, ask: Ask, lease_s: float, *,
    microusd_per_day: int = 0,
) -> Reserved | Busy | Exhausted:  # fmt: skip
    """Reserve a slice of the job's and the project's budget for a process, under a lease.

    The size is `slice_of`'s word; the condition in the UPDATE sees to it that nobody else took
    the same. The job's account must be open (KeyError). Run again after an unknown COMMIT it may
    reserve twice: the next `settle` puts that right. `microusd_per_day` is what a project may spend
    in a day unless it has a quota of its own (0: no limit).
    """
    for _ in range(_TRIES):
        accounts = _accounts(connection, job_id)
        books, per_day = [_account(row) for row in accounts], _per_day(accounts, microusd_per_day)
        if per_day:
            books.append(_day_of(accounts[-1], per_day))
        granted = slice_of(books, ask)
        if not isinstance(granted, Spend):
            return granted
        settled = _take(connection, accounts, worker_id, granted, lease_s, per_day)
        if settled is not None:
            return Reserved(granted, settled, _unanswered(connection, job_id, worker_id))
    return Busy("job", "microusd")


def is_at_limit(connection: Connection, job_id: str, reason: Mapping[str, Any]) -> bool:
    """True when the limit that `reason` tells (see `Exhausted.reason`) is still the one there is.

    What was spent only grows, so a limit that nobody changed is as exhausted as it was; the limit
    of a day until that is over.
    """
    accounts = _accounts(connection, job_id)
    if reason.get("scope") == "day":
        return _is_same_day(accounts[-1], reason)
    for row in accounts:
        account = _account(row)
        for measure in MEASURES:
            limit = getattr(account.budget, measure)
            if limit is not None:
                told = Exhausted(account.scope, measure, limit, 0).reason()
                if all(told[name] == reason.get(name) for name in ("scope", "measure", "limit")):
                    return True
    return False


def settle(
    connection: Connection, job_id: str, worker_id: str, spent: Spend, holding: Spend,
    lease_s: float, *, unanswered: Spend = NOTHING,
) -> Spend:  # fmt: skip
    """Book what a process spent on a job since it started, and what it still holds.

    `unanswered` is the estimate of its calls that told no cost: booked as unknown for good. All
    are totals, not differences: settling the same again changes nothing. Returns what is
    really still reserved; that is less than `holding` when the lease had run out meanwhile, and
    then what was booked as unknown becomes known as far as `spent` explains it.
    """
    if unanswered != NOTHING:
        _open_unanswered(connection, job_id, worker_id)
    _lock_slices(connection, job_id, worker_id)
    if unanswered != NOTHING:
        _book_unanswered(connection, job_id, worker_id, unanswered)
    row = connection.execute(
        text(f"""WITH {_WAS},
          mine AS (UPDATE spend s SET
              {_each("spent_{m} = greatest(was.spent_{m}, :spent_{m})")},
              {_each("reserved_{m} = least(was.reserved_{m}, :holding_{m})")},
              {_each('''unknown_{m} = greatest(0,
                was.unknown_{m} - greatest(0, :spent_{m} - was.spent_{m}))''')},
              open = {_any_reserved("least(was.reserved_{m}, :holding_{m})")},
              lease_until = clock_timestamp() + make_interval(secs => :lease_s)
            FROM was WHERE s.job_id = was.job_id AND s.worker_id = was.worker_id
            RETURNING s.*, {_CHANGE}),
          {_BOOK} SELECT {_each("reserved_{m} AS {m}")} FROM mine"""),
        {
            "job_id": job_id, "worker_id": worker_id, "lease_s": lease_s,
            **{f"spent_{m}": getattr(spent, m) for m in MEASURES},
            **{f"holding_{m}": max(0, getattr(holding, m)) for m in MEASURES},
        },
    ).mappings().one_or_none()  # fmt: skip
    return Spend(**row) if row else NOTHING


def release(connection: Connection, job_id: str, worker_id: str, spent: Spend) -> None:
    """Settle and hold nothing any more."""
    settle(connection, job_id, worker_id, spent, NOTHING, 0.0)


def extend(connection: Connection, worker_id: str, lease_s: float) -> int:
    """Extend the leases of all slices a process holds; return how many it does."""
    return connection.execute(
        text("""UPDATE spend SET lease_until = clock_timestamp() + make_interval(secs => :lease_s)
          WHERE worker_id = :worker_id AND open"""),
        {"worker_id": worker_id, "lease_s": lease_s},
    ).rowcount


def expire(connection: Connection) -> str | None:
    """Book one slice whose lease ran out as unknown; return its job, None when there is none.

    One a transaction: two would take accounts out of order.
    """
    late = connection.execute(
        text("""SELECT job_id, worker_id FROM spend WHERE open
          AND lease_until < clock_timestamp() ORDER BY lease_until LIMIT 1
          FOR UPDATE SKIP LOCKED""")
    ).one_or_none()
    if late is None:
        return None
    connection.execute(
        text(f"""WITH {_WAS},
          mine AS (UPDATE spend s SET open = false, {_each("reserved_{m} = 0")},
              {_each("unknown_{m} = was.unknown_{m} + was.reserved_{m}")}
            FROM was WHERE s.job_id = was.job_id AND s.worker_id = was.worker_id
            RETURNING s.*, {_CHANGE}),
          {_BOOK} SELECT FROM mine"""),
        {"job_id": late.job_id, "worker_id": late.worker_id},
    )
    return str(late.job_id)


def sweep(connection: Connection, older_than_s: float) -> int:
    """Forget the settled slices of jobs that ended long ago; accounts stay."""
    return connection.execute(
        text("""DELETE FROM spend s USING jobs j WHERE j.id = s.job_id AND NOT s.open
          AND j.finished_at < clock_timestamp() - make_interval(secs => :age)"""),
        {"age": older_than_s},
    ).rowcount


def _any_reserved(form: str) -> str:
    return "(" + " OR ".join(f"{form.replace('{m}', m)} > 0" for m in MEASURES) + ")"


def _is_open(connection: Connection, job_id: str) -> bool:
    found = text("SELECT 1 FROM spend_accounts WHERE id = :id")
    return connection.execute(found, {"id": job_id}).one_or_none() is not None


def _stand_in(connection: Connection, job_id: str, unpriced_tokens: int) -> None:
    """Limit tokens where money alone is limited and cannot be counted."""
    connection.execute(
        text("""UPDATE spend_accounts SET budget_tokens = :tokens
          WHERE id = :id AND budget_microusd IS NOT NULL AND budget_tokens IS NULL"""),
        {"id": job_id, "tokens": unpriced_tokens},
    )


def _insert_account(
    connection: Connection, account_id: str, project_id: str, job_id: str | None, budget: Budget
) -> None:
    connection.execute(
        text(f"""INSERT INTO spend_accounts (id, project_id, job_id, {_each("budget_{m}")})
          VALUES (:id, :project_id, :job_id, {_each(":{m}")}) ON CONFLICT DO NOTHING"""),
        {"id": account_id, "project_id": project_id, "job_id": job_id, **_limits(budget)},
    )


def _lock_slices(connection: Connection, job_id: str, worker_id: str) -> None:
    """Lock a process's slice before the statement that books it.

    In the same statement it would be too late: that one looks at the accounts as they were when
    it began, and what another transaction booked for this very slice meanwhile would be missing.
    """
    connection.execute(
        text("""SELECT FROM spend WHERE job_id = :job_id AND worker_id IN (:worker_id, :apart)
          ORDER BY worker_id FOR UPDATE"""),
        {"job_id": job_id, "worker_id": worker_id, "apart": _apart(worker_id)},
    )


def _apart(worker_id: str) -> str:
    """Return who holds what a process's calls left unknown.

    Apart from its slice, whose unknown part comes of a lease that ran out and shrinks when the
    process comes back and tells what it spent.
    """
    return f"{worker_id}/unanswered"


def _open_unanswered(connection: Connection, job_id: str, worker_id: str) -> None:
    connection.execute(
        text("""INSERT INTO spend (job_id, worker_id, project_id, open, lease_until)
          SELECT job_id, :apart, project_id, false, clock_timestamp() FROM spend
          WHERE job_id = :job_id AND worker_id = :worker_id ON CONFLICT DO NOTHING"""),
        {"job_id": job_id, "worker_id": worker_id, "apart": _apart(worker_id)},
    )


def _book_unanswered(
    connection: Connection, job_id: str, worker_id: str, unanswered: Spend
) -> None:
    told: dict[str, Any] = {measure: getattr(unanswered, measure) for measure in MEASURES}
    connection.execute(
        text(f"""WITH {_WAS},
          mine AS (UPDATE spend s SET
              {_each("unknown_{m} = greatest(was.unknown_{m}, :{m})")}
            FROM was WHERE s.job_id = was.job_id AND s.worker_id = was.worker_id
            RETURNING s.*, {_CHANGE}),
          {_BOOK} SELECT FROM mine"""),
        {"job_id": job_id, "worker_id": _apart(worker_id), **told},
    )


def _unanswered(connection: Connection, job_id: str, worker_id: str) -> Spend:
    row = connection.execute(
        text(f"""SELECT {_each("unknown_{m} AS {m}")} FROM spend
          WHERE job_id = :job_id AND worker_id = :apart"""),
        {"job_id": job_id, "apart": _apart(worker_id)},
    ).mappings().one_or_none()  # fmt: skip
    return Spend(**row) if row else NOTHING


def _accounts(connection: Connection, job_id: str) -> list[RowMapping]:
    """Return the account of the job and then its project's. Raises KeyError without one."""
    rows = connection.execute(
        text(f"""SELECT a.*, current_date AS today, {_TODAY} AS spent_today,
            CAST(p.quotas->>'{_PER_DAY}' AS bigint) AS own_per_day
          FROM spend_accounts j JOIN spend_accounts a ON a.id IN (j.id, j.project_id)
          JOIN projects p ON p.id = j.project_id
          WHERE j.id = :id ORDER BY a.job_id NULLS LAST"""),
        {"id": job_id},
    ).mappings()
    found = list(rows)
    if not found:
        raise KeyError(job_id)
    return found


def _per_day(accounts: list[RowMapping], default: int) -> int:
    own: int | None = accounts[-1]["own_per_day"]
    return default if own is None else own


def _day_of(project: RowMapping, per_day: int) -> Account:
    """Return the books of a project's day: all it holds reserved may still be spent in it."""
    return Account(
        scope="day",
        budget=Budget(microusd=per_day),
        spent=Spend(microusd=project["spent_today"]),
        reserved=Spend(microusd=project["reserved_microusd"]),
        day=project["today"],
    )


def _is_same_day(project: RowMapping, reason: Mapping[str, Any]) -> bool:
    own: int | None = project["own_per_day"]
    limit = round(float(reason["limit"]) * 1_000_000) if own is None else own
    if not limit:
        return False
    told = Exhausted("day", "microusd", limit, 0, project["today"]).reason()
    return all(told[name] == reason.get(name) for name in ("limit", "until"))


def _take(
    connection: Connection, accounts: list[RowMapping], worker_id: str, granted: Spend,
    lease_s: float, per_day: int,
) -> Spend | None:  # fmt: skip
    """Add the slice to the process's, the job's and the project's reservation, or to none."""
    amounts: dict[str, int] = {measure: getattr(granted, measure) for measure in MEASURES}
    savepoint = connection.begin_nested()
    mine = connection.execute(
        text(f"""INSERT INTO spend (job_id, worker_id, project_id, {_each("reserved_{m}")},
            lease_until)
          VALUES (:job_id, :worker_id, :project_id, {_each(":{m}")},
            clock_timestamp() + make_interval(secs => :lease_s))
          ON CONFLICT (job_id, worker_id) DO UPDATE SET open = true,
            {_each("reserved_{m} = spend.reserved_{m} + excluded.reserved_{m}")},
            lease_until = excluded.lease_until
          RETURNING {_each("spent_{m} AS {m}")}"""),
        {
            "job_id": accounts[0]["job_id"], "project_id": accounts[0]["project_id"],
            "worker_id": worker_id, "lease_s": lease_s, **amounts,
        },
    ).mappings().one()  # fmt: skip
    for account in accounts:
        taken = connection.execute(
            text(f"""UPDATE spend_accounts a SET
                {_each("reserved_{m} = reserved_{m} + :{m}")} WHERE id = :id AND {_ROOM}
                AND (job_id IS NOT NULL OR :per_day = 0 OR :microusd = 0
                  OR {_TODAY} + reserved_microusd + :microusd <= :per_day)"""),
            {"id": account["id"], "per_day": per_day, **amounts},
        )
        if taken.rowcount != 1:
            savepoint.rollback()
            return None
    savepoint.commit()
    return Spend(**mine)


def _account(row: RowMapping) -> Account:
    return Account(
        scope="job" if row["job_id"] is not None else "project",
        budget=Budget(**_columns(row, "budget")),
        spent=Spend(**_columns(row, "spent")),
        reserved=Spend(**_columns(row, "reserved")),
        unknown=Spend(**_columns(row, "unknown")),
    )


def _columns(row: RowMapping, kind: str) -> dict[str, Any]:
    return {measure: row[f"{kind}_{measure}"] for measure in MEASURES}


def _limits(budget: Budget) -> dict[str, int | None]:
    return {measure: getattr(budget, measure) for measure in MEASURES}
