"""Whether a plan needs a person's yes: pure."""

from collections.abc import Mapping
from typing import Any


def needs_approval(
    approval: str, approved: Mapping[str, Any] | None, *, spent_microusd: int,
    price: Mapping[str, Any], acts_outside: bool = False,
) -> bool:  # fmt: skip
    """Return True when a plan must wait for a yes: the job asks for one, no earlier one covers it.

    `approved` is the column of the job; its ``high_microusd`` is the high price that was agreed
    to. A later round's plan (`price` as stored with it) goes on unasked while what was spent so
    far and its own high price stay within that. Where a price is unknown, nobody can say. A plan
    that acts on the outside is always asked for: no money gives back what it does.
    """
    if acts_outside:
        return True
    if approval == "none":
        return False
    if approved is None or price.get("unpriced"):
        return True
    return spent_microusd + high_of(price) > int(approved["high_microusd"])


def high_of(price: Mapping[str, Any]) -> int:
    """Return the high end of a stored price, in millionths of a US dollar."""
    return int(price["total"]["cost_microusd"]["high"])
