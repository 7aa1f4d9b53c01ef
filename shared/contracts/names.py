"""The names a plan may give to tables and stages, and a client to workflows."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
WORKFLOW_NAME_PATTERN = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
RESERVED_NAMES = frozenset({"rows"})  # `{{ rows.column }}` must not be a table


def is_name(text: str) -> bool:
    """Return True for a table or stage name: lower case, at most 63 characters, not reserved."""
    return NAME_PATTERN.match(text) is not None and text not in RESERVED_NAMES


def is_workflow_name(text: str) -> bool:
    """Return True for the name of a workflow: as a table's, and with hyphens."""
    return WORKFLOW_NAME_PATTERN.match(text) is not None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the nearest known name, or all of a few, or nothing."""
    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f" Did you mean `{close[0]}`?"
    if 0 < len(names) <= 12:
        return " There is " + ", ".join(f"`{known_name}`" for known_name in names) + "."
    return ""
