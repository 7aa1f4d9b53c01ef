"""Query parameters: each is known, given once, and of its type, or the answer is 422."""

import re
from collections.abc import Iterable
from datetime import datetime

from flask import request

from services.api.problems import invalid, not_found
from shared.domain.ids import is_id

DEFAULT_LIMIT, MAX_LIMIT = 50, 1_000
_INTEGER = re.compile(r"[0-9]{1,9}\Z")
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)\Z", re.ASCII | re.IGNORECASE
)


def known(*names: str, prefixes: Iterable[str] = ()) -> dict[str, str]:
    """Return the parameters of the request; refuses others, doubled ones and NUL."""
    found = {}
    for name, values in request.args.lists():
        if name not in names and not any(name.startswith(prefix) for prefix in prefixes):
            shown = ", ".join([*names, *(f"{prefix}..." for prefix in prefixes)]) or "none"
            raise invalid(f"/query/{name[:100]}", f"There is no such parameter; known: {shown}.")
        if len(values) > 1:
            raise invalid(f"/query/{name}", "Give this parameter once.")
        if "\0" in values[0] or "\0" in name:
            raise invalid(f"/query/{name[:100]}", "Remove the NUL character.")
        found[name] = values[0]
    return found


def limit(given: dict[str, str]) -> int:
    """Return `limit`: 1 to 1000, 50 when silent."""
    return whole_number(given, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)


def whole_number(given: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    """Return a parameter that is a number from `low` to `high`."""
    text = given.get(name)
    if text is None:
        return default
    if not _INTEGER.match(text) or not low <= int(text) <= high:
        raise invalid(f"/query/{name}", f"Give a whole number from {low} to {high}.")
    return int(text)


def choice(given: dict[str, str], name: str, allowed: Iterable[str]) -> str | None:
    """Return a parameter that is one of `allowed`, None when silent."""
    value = given.get(name)
    choices = list(allowed)
    if value is not None and value not in choices:
        raise invalid(f"/query/{name}", f"Choose one of {', '.join(choices)}.")
    return value


def moment(given: dict[str, str], name: str) -> datetime | None:
    """Return a parameter that is an RFC 3339 time, None when silent."""
    text = given.get(name)
    if text is None:
        return None
    try:
        if _MOMENT.match(text):
            return datetime.fromisoformat(text.upper())
    except ValueError:
        pass
    raise invalid(f"/query/{name}", "Give a time such as 2030-01-31T12:00:00Z.")


def require_id(value: str, prefix: str, what: str) -> str:
    """Return an id of the right kind; anything else is simply not found."""
    if not is_id(value, prefix):
        raise not_found(what)
    return value
