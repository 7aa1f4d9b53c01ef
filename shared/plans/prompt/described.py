"""Tables and capabilities as lines of JSON, each within a number of characters; pure."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from shared.capabilities.contract import Manifest
from shared.domain.columns import Column
from shared.plans.facts import TableFacts
from shared.prompts.marking import neutral

MOST_COLUMNS = 60
MOST_SAMPLES = 5
MOST_VALUE = 160  # characters of one value of a sample
MOST_NAME = 500  # of a column: longer ones are not shown, `describe` is told the same way
_LINE_ENDS = {0x85: " ", 0x2028: " ", 0x2029: " "}  # those JSON does not escape
LEAST_LINE = 400  # a table's line is never given less


def table_line(name: str, table: TableFacts, most_chars: int) -> str:
    """Return one table as a JSON object of at most about `most_chars` characters.

    ``{"name", "rows", "key", "columns": [{"name", "type", "mean_chars"?, "distinct"?}],
    "more_columns"?: {"count", "types"}, "sizes": {"row_chars"}, "samples"?: [...]}``. `rows` is
    null while a stream is open. What does not fit goes in this order: samples, then columns.
    """
    columns = [item for item in table.columns[:MOST_COLUMNS] if len(item.name) <= MOST_NAME]
    for shown in _fewer(len(columns)):
        described = _table(name, table, columns[:shown])
        line = _line(described)
        if len(line) <= most_chars or shown == 0:
            break
    return _with_samples(described, table, columns[:shown], most_chars)


def column_facts(table: TableFacts, column: Column) -> dict[str, Any]:
    """Return what is known of one column: sizes and counts, no values."""
    told: dict[str, Any] = column.to_json()
    if column.name in table.mean_chars:
        told["mean_chars"] = round(table.mean_chars[column.name], 1)
    if column.name in table.distinct:
        told["distinct"] = table.distinct[column.name]
    return told


def capability_line(manifest: Manifest, most_chars: int) -> str:
    """Return one capability as a JSON object: name, description, units, params, output."""
    told = {
        "name": manifest.name,
        "description": clipped(manifest.description, 500),
        "units": ["tables" if manifest.reads == "tables" else unit for unit in manifest.units],
        "params": manifest.params,
        "output": _output(manifest),
        "emits": manifest.emits,
        "effects": manifest.effects,
    }
    line = _line(told)
    if len(line) <= most_chars:
        return line
    shorter = {**told, "params": {"names": sorted(manifest.params.get("properties", {}))[:40]}}
    if isinstance(told["output"], dict):
        shorter["output"] = {"names": list(told["output"].get("properties", {}))[:40]}
    return _line(shorter)


def clipped(value: Any, most_chars: int) -> Any:
    """Return a value as it is, or the beginning of its text with an ellipsis.

    What could pass for one of our marks, a control token or the end of a line is not shown as
    such: the value may be a row's.
    """
    text = value if isinstance(value, str) else _line(value)
    shown = neutral(text.translate(_LINE_ENDS))
    if len(shown) > most_chars:
        return shown[: most_chars - 1] + "…"
    return value if shown == text else shown


def _table(name: str, table: TableFacts, columns: list[Column]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": name,
        "rows": table.rows,
        "key": table.key if table.key is None or len(table.key) <= MOST_NAME else None,
        "columns": [column_facts(table, column) for column in columns],
    }
    rest = [column for column in table.columns if column not in columns]
    if rest:
        types = Counter(column.type for column in rest)
        told["more_columns"] = {"count": len(rest), "types": dict(sorted(types.items()))}
    if table.mean_chars:
        told["sizes"] = {"row_chars": round(sum(table.mean_chars.values()))}
    return told


def _with_samples(
    described: Mapping[str, Any], table: TableFacts, columns: list[Column], most_chars: int
) -> str:
    """Add as many clipped sample rows as fit."""
    line = _line(described)
    names = [column.name for column in columns]
    samples: list[dict[str, Any]] = []
    for row in table.samples[:MOST_SAMPLES]:
        shown = {name: clipped(row.get(name), MOST_VALUE) for name in names}
        wider = _line({**described, "samples": [*samples, shown]})
        if len(wider) > most_chars:
            break
        samples.append(shown)
        line = wider
    return line


def _output(manifest: Manifest) -> Any:
    if manifest.computed_output:
        return "follows from params and input"
    return "the stage's `output`" if manifest.output is None else manifest.output


def _fewer(columns: int) -> Iterator[int]:
    while columns:
        yield columns
        columns //= 2
    yield 0


def _line(value: Any) -> str:
    return orjson.dumps(value).decode()
