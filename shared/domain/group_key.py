"""The text that names a group in a mapping."""

import json
from collections.abc import Sequence
from typing import Any


def group_key(values: Sequence[Any]) -> str:
    """Return the values of the group's columns as compact JSON; ``[]`` is a whole table."""
    return json.dumps(list(values), ensure_ascii=False, separators=(",", ":"))
