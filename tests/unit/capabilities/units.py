"""Builds units and contexts for tests of capabilities."""

from typing import Any

from shared.capabilities.contract import Context, Unit


def unit_of(*values: Any, field: str = "text") -> Unit:
    """Return a unit with one row per value."""
    return Unit(index=0, rows=[{field: value} for value in values])


def context_of(timeout_s: float = 60.0, **params: Any) -> Context:
    """Return a context with these parameters; the field is `text` unless given."""
    return Context(
        params={"field": "text", **params},
        brief="",
        prompt=None,
        instructions=None,
        output={},
        attempt=1,
        replica=0,
        timeout_s=timeout_s,
        idempotency_key="key",
    )
