"""Whether a delivery is one a trigger waits for: conditions on headers and the payload."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.domain.json_path import MISSING, look_up

Condition = Mapping[str, Any]  # header or pointer, and one of equals, in, exists


def unmet(conditions: Sequence[Condition], headers: Mapping[str, str], payload: Any) -> list[int]:
    """Return the places of the conditions that do not hold; none: it matches."""
    return [
        place
        for place, condition in enumerate(conditions)
        if not _holds(condition, _value(condition, headers, payload))
    ]


def _value(condition: Condition, headers: Mapping[str, str], payload: Any) -> Any:
    if "header" in condition:
        return headers.get(condition["header"].lower(), MISSING)
    return look_up(payload, condition["pointer"])


def _holds(condition: Condition, value: Any) -> bool:
    if "exists" in condition:
        return bool((value is not MISSING) == condition["exists"])
    if value is MISSING:
        return False
    wanted = condition["in"] if "in" in condition else [condition["equals"]]
    return any(_same(value, one) for one in wanted)


def _same(one: Any, two: Any) -> bool:
    """Compare as JSON does: true is not 1, and 1 is 1.0."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_same(one[name], two[name]) for name in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_same, one, two))
    return bool(one == two)
