"""Several units in one call: the schema of the answer, and whose item is whose. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.contracts.output_schema import strict_schema

ITEMS = "answers"
ID = "id"
OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Matched:
    """Items by the id of their unit; `missing` units have none and are called again alone."""

    outputs: Mapping[str, Any]
    missing: tuple[str, ...]


def packed_schema(output: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a packed answer: ``{"answers": [{"id": "...", "output": {...}}]}``."""
    row = {name: value for name, value in output.items() if name != "$defs"}
    item = {"type": "object", "properties": {ID: {"type": "string"}, OUTPUT: row}}
    schema = {"type": "object", "properties": {ITEMS: {"type": "array", "items": item}}}
    if "$defs" in output:
        schema["$defs"] = output["$defs"]  # `#/$defs/...` means the root
    return strict_schema(schema)


def match_packed(ids: Sequence[str], value: Any) -> Matched:
    """Match a packed answer to its units by id alone: order means nothing.

    An item of an unknown id is dropped; a unit with two items that differ counts as missing.
    The outputs are not checked here.
    """
    wanted = set(ids)
    outputs: dict[str, Any] = {}
    doubtful: set[str] = set()
    items = value.get(ITEMS) if isinstance(value, Mapping) else None
    for item in items if isinstance(items, list) else ():
        if not isinstance(item, Mapping) or OUTPUT not in item:
            continue
        unit_id = str(item.get(ID))
        if unit_id not in wanted:
            continue
        if unit_id in outputs and outputs[unit_id] != item[OUTPUT]:
            doubtful.add(unit_id)
        outputs.setdefault(unit_id, item[OUTPUT])
    found = {unit_id: output for unit_id, output in outputs.items() if unit_id not in doubtful}
    return Matched(found, tuple(unit_id for unit_id in ids if unit_id not in found))


def halves(ids: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the two halves a pack that failed as a whole is tried in: bisection."""
    middle = (len(ids) + 1) // 2
    return tuple(ids[:middle]), tuple(ids[middle:])
