"""The agent's tool `search_text`: where a text stands in the unit, with what stands around it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from services.worker.capabilities.agent_tool import Tool, closed
from shared.capabilities.contract import Unit

MOST_MATCHES = 20
AROUND_CHARS = 150
_NEEDLE = {"type": "string", "minLength": 1, "maxLength": 200}


def search_tool(unit: Unit) -> Tool:
    """Return the tool over the unit's own rows."""

    async def run(arguments: Mapping[str, Any]) -> dict[str, Any]:
        return search(unit, arguments["text"])

    return Tool(
        "search_text",
        "Finds a text in the material, upper and lower case alike, and shows what stands around "
        f"it. At most {MOST_MATCHES} places are shown; rows count from 1.",
        closed(text=_NEEDLE),
        run,
        lambda arguments: str(arguments["text"]),
    )


def search(unit: Unit, needle: str) -> dict[str, Any]:
    """Return how many places there are, and the first of them with their surroundings."""
    pattern = re.compile(re.escape(needle), re.IGNORECASE)
    places = 0
    shown: list[dict[str, Any]] = []
    for number, column, text in _texts(unit):
        for found in pattern.finditer(text):
            places += 1
            if len(shown) < MOST_MATCHES:
                start, end = max(0, found.start() - AROUND_CHARS), found.end() + AROUND_CHARS
                excerpt = text[start:end]
                shown.append({"row": number, "column": column, "excerpt": excerpt})
    return {"places": places, "shown": shown}


def _texts(unit: Unit) -> Iterator[tuple[int, str, str]]:
    for number, row in enumerate(unit.rows, start=1):
        for column, value in row.items():
            if value is not None:
                yield number, column, value if isinstance(value, str) else _as_text(value)


def _as_text(value: Any) -> str:
    return orjson.dumps(value).decode()
