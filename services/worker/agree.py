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

    `majority` needs more than half of the replicas alike, `all` every one; without `agree` the
    first good answer is taken and the share only tells. No good answer: the first failure.
    """
    good = [answer for answer in answers if not isinstance(answer, Failure)]
    if not good:
        return next(answer for answer in answers if isinstance(answer, Failure))
    counts = Counter(canonical_json(rows) for rows in good)
    winner, votes = counts.most_common(1)[0]
    if agree is None:
        votes, winner = counts[canonical_json(good[0])], canonical_json(good[0])
    share = votes / len(answers)
    needed = {"majority": share > 0.5, "all": share == 1.0}.get(agree or "", True)
    if not needed:
        detail = f"{votes} of {len(answers)} replicas agree; `{agree}` needs more"
        return Failure("no_agreement", detail)
    return Agreed(next(rows for rows in good if canonical_json(rows) == winner), share)
