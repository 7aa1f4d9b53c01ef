"""Reads the text a unit offers to a capability that works on one column."""

import json
from typing import Any

from shared.capabilities.contract import Unit


def texts_of(unit: Unit, field: str) -> list[str]:
    """Return the column's values of the unit's own rows as texts, in order, without nulls."""
    return [_as_text(row[field]) for row in unit.rows if row.get(field) is not None]


def text_of(unit: Unit, field: str) -> str | None:
    """Return the unit's text: several rows are joined by a blank line; None when all are null."""
    texts = texts_of(unit, field)
    return "\n\n".join(texts) if texts else None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
