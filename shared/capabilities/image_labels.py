"""Images in the columns a stage names, as text: each stands as its label, `[image 1]`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from shared.capabilities.contract import Unit

Row = Mapping[str, Any]

NOT_SENT = "[image not shown]"  # of a row that is only the context of a unit


def image_columns(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the columns a stage says hold images; most stages name none."""
    return tuple(params.get("images") or ())


def without_images(unit: Unit, params: Mapping[str, Any]) -> Unit:
    """Return the unit with each image replaced by its label, as templates and tools see it.

    Labels count from 1 over the unit's own rows; images of context rows are not sent.
    """
    columns = image_columns(params)
    if not columns:
        return unit
    numbers = iter(range(1, len(columns) * len(unit.rows) + 1))
    return replace(
        unit,
        rows=[_labelled(row, columns, numbers) for row in unit.rows],
        before=[_labelled(row, columns, None) for row in unit.before],
        after=[_labelled(row, columns, None) for row in unit.after],
        key=_labelled(unit.key, columns, None),
    )


def image_values(rows: Sequence[Row], columns: Sequence[str]) -> Iterator[tuple[Row, str]]:
    """Yield where images stand, in the order of their labels; nulls and blanks are none."""
    for row in rows:
        for column in columns:
            if not _absent(row.get(column)):
                yield row, column


def image_label(number: int) -> str:
    """Return how image `number` of a unit stands in its text."""
    return f"[image {number}]"


def _labelled(row: Row, columns: Sequence[str], numbers: Iterator[int] | None) -> dict[str, Any]:
    shown = dict(row)
    for column in columns:
        if column not in shown:
            continue
        if _absent(shown[column]):
            shown[column] = None
        else:
            shown[column] = NOT_SENT if numbers is None else image_label(next(numbers))
    return shown


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
