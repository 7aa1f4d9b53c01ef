"""Combines the replicas of a unit into its one outcome: pure."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from shared.contracts.json_values import canonical_json
from shared.domain.retry import Failure
from shared.domain.stage import Agree

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Agreed:
    """The rows of the answer that won and the share of replicas that gave it (0 to 1)."""

    rows: Rows
    share: float


def combine(answers: list[Rows | Failure], agree: Agree | None) -> Agreed | Failure:
    """Return the combined answer of all replicas.

    `majority` (also when the plan is silent) needs more than half of the replicas alike, `all`
    every one. No good answer: the first failure. Too few votes, but a replica failed that may go
    better later and could decide: that failure, so that the unit is tried again.
    """
    good = [answer for answer in answers if not isinstance(answer, Failure)]
    if not good:
        return next(answer for answer in answers if isinstance(answer, Failure))
    counts = Counter(canonical_json(rows) for rows in good)
    winner, votes = counts.most_common(1)[0]
    share = votes / len(answers)
    if not _enough(share, agree):
        later = [one for one in answers if isinstance(one, Failure) and one.transient]
        if later and _enough((votes + len(later)) / len(answers), agree):
            return later[0]
        detail = f"{votes} of {len(answers)} replicas agree; `{agree or 'majority'}` needs more"
        return Failure("no_agreement", detail)
    return Agreed(next(rows for rows in good if canonical_json(rows) == winner), share)


def _enough(share: float, agree: Agree | None) -> bool:
    return share == 1.0 if agree == "all" else share > 0.5
