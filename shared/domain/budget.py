"""What a job or project may spend, and how big a slice of that a process may reserve: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any, Literal

Measure = Literal["microusd", "tokens", "ms"]
Scope = Literal["job", "project", "day"]  # day: what a project may spend from midnight to midnight
MEASURES: tuple[Measure, ...] = ("microusd", "tokens", "ms")
SLICE_PART = 8  # a slice is at most this part of what is left, unless one call needs more
AHEAD_S = 3.0  # a slice is meant to last this long
CALLS_AHEAD = 4
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Spend:
    """An amount of money in millionths of a US dollar, tokens (in + out), and time of calls."""

    microusd: int = 0
    tokens: int = 0
    ms: int = 0

    def __add__(self, other: "Spend") -> "Spend":
        return Spend(self.microusd + other.microusd, self.tokens + other.tokens, self.ms + other.ms)

    def __sub__(self, other: "Spend") -> "Spend":
        return Spend(self.microusd - other.microusd, self.tokens - other.tokens, self.ms - other.ms)

    def fits(self, room: "Spend") -> bool:
        """True when `room` has at least this much of every measure."""
        return self.microusd <= room.microusd and self.tokens <= room.tokens and self.ms <= room.ms

    def most(self, other: "Spend") -> "Spend":
        """Return the larger of both, measure by measure."""
        return Spend(
            max(self.microusd, other.microusd),
            max(self.tokens, other.tokens),
            max(self.ms, other.ms),
        )


NOTHING = Spend()


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of a job or a project, in the units of `Spend`; None is no limit."""

    microusd: int | None = None
    tokens: int | None = None
    ms: int | None = None

    @property
    def given(self) -> bool:
        """True when anything is limited."""
        return any(getattr(self, item.name) is not None for item in fields(self))


@dataclass(frozen=True, slots=True)
class Account:
    """The books of a job, of a project, or of a project's `day` (UTC).

    `reserved` is in the hands of processes, `unknown` was in the hands of processes that were
    lost: it counts as spent until one of them comes back and tells.
    """

    scope: Scope
    budget: Budget
    spent: Spend = NOTHING
    reserved: Spend = NOTHING
    unknown: Spend = NOTHING
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """What a process wants to reserve: `least` lets one call go, `wanted` lasts a while."""

    least: Spend
    wanted: Spend


@dataclass(frozen=True, slots=True)
class Busy:
    """Nothing is free now, but others hold slices of which something may come back."""

    scope: Scope
    measure: Measure


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The next call would go over the budget, whatever others give back."""

    scope: Scope
    measure: Measure
    limit: int
    spent: int  # what is unknown counts as spent
    day: date | None = None  # of the scope `day`: tomorrow there is more

    def reason(self) -> dict[str, Any]:
        """Return the JSON shown as `status_reason` of a job that pauses for it."""
        shown = {"microusd": "usd", "tokens": "tokens", "ms": "seconds"}[self.measure]
        per = {"microusd": _MICRO, "tokens": 1, "ms": 1_000}[self.measure]
        told = {
            "kind": "budget",
            "scope": self.scope,
            "measure": shown,
            "limit": self.limit / per if per > 1 else self.limit,
            "spent": self.spent / per if per > 1 else self.spent,
        }
        until = self.day + timedelta(days=1) if self.day else None
        return told | ({"until": f"{until.isoformat()}T00:00:00Z"} if until else {})


def budget_of(policy: Mapping[str, Any]) -> Budget:
    """Return the budget a job's policy gives: `usd`, `tokens`, `seconds`, each may be None."""
    given = policy.get("budget") or {}
    usd, seconds = given.get("usd"), given.get("seconds")
    return Budget(
        microusd=None if usd is None else round(usd * _MICRO),
        tokens=given.get("tokens"),
        ms=None if seconds is None else round(seconds * 1_000),
    )


def first_given(*budgets: Budget) -> Budget:
    """Return the first budget that limits anything: the job's, the project's default, ours."""
    return next((budget for budget in budgets if budget.given), Budget())


def for_unknown_price(budget: Budget, default_tokens: int | None) -> Budget:
    """Return a budget that also holds where the price is not known: tokens stand in for money."""
    if budget.microusd is None or budget.tokens is not None:
        return budget
    return Budget(budget.microusd, default_tokens, budget.ms)


def wish(least: Spend, spent_per_s: Spend) -> Spend:
    """Return how much to ask for: some calls, or what goes in `AHEAD_S` at the present pace."""
    return Spend(
        *(
            max(
                getattr(least, name) * CALLS_AHEAD,
                int(getattr(spent_per_s, name) * AHEAD_S),
            )
            for name in MEASURES
        )
    )


def slice_of(accounts: Sequence[Account], ask: Ask) -> Spend | Busy | Exhausted:
    """Return the slice to reserve in all of `accounts` (a job's, its project's, and its day's).

    At most `SLICE_PART` of what is neither spent, unknown nor reserved, so that slices shrink as
    the end comes near and the last money is not locked up in one process; but enough for one
    call. A measure nobody limits is given as wanted.
    """
    slices = {}
    for measure in MEASURES:
        least = getattr(ask.least, measure)
        wanted = max(least, getattr(ask.wanted, measure))
        for account in accounts:
            limit = getattr(account.budget, measure)
            if limit is None:
                continue
            gone = getattr(account.spent, measure) + getattr(account.unknown, measure)
            left = limit - gone - getattr(account.reserved, measure)
            if limit - gone < least:
                return Exhausted(account.scope, measure, limit, gone, account.day)
            if left < least:
                return Busy(account.scope, measure)
            wanted = min(wanted, max(least, left // SLICE_PART))
        slices[measure] = wanted
    return Spend(**slices)
