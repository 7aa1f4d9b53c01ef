"""What is told of a job while it runs, and what a stream of it remembers over a cut."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SNAPSHOT, LAST = "snapshot", "done"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `id` is what a stream resumes after; None for what cannot be resumed after."""

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    id: str | None = None

    @property
    def is_last(self) -> bool:
        """True for the event that ends a stream."""
        return self.type == LAST


def event_of_stream(kind: str, data: str, event_id: str | None) -> Event:
    """Return an event as SSE told it."""
    found = json.loads(data) if data else {}
    return Event(kind, found if isinstance(found, dict) else {"value": found}, event_id or None)


def event_of_page(item: Mapping[str, Any]) -> Event:
    """Return an event as a JSON page told it."""
    return Event(str(item.get("type")), dict(item), item.get("id"))
