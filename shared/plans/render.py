"""Turns a template and one unit into text: no logic, one pass, rows stay data."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import orjson

from shared.domain.plan import StagePlan

RENDERER_VERSION = "1"  # raise it when the same template and rows would give another text

PlaceholderKind = Literal["column", "rows", "rows.column", "table.column"]
_PLACEHOLDER = re.compile(r"\{\{\s*([^\s{}](?:[^{}]*[^\s{}])?)\s*\}\}")


class RenderError(ValueError):
    """A placeholder names what the unit does not have (the linter refuses such plans)."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One `{{ ... }}`: `column` is empty for `rows`, `table` is set for `table.column` only."""

    kind: PlaceholderKind
    column: str
    table: str
    text: str


@dataclass(frozen=True, slots=True)
class CompiledTemplate:
    """A template cut into literal text and placeholders, in order of appearance."""

    parts: tuple[str | Placeholder, ...]

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """The placeholders, repeated ones included."""
        return tuple(part for part in self.parts if isinstance(part, Placeholder))


@lru_cache(maxsize=512)
def compile_template(text: str) -> CompiledTemplate:
    """Cut a template once; a name is what stands between the braces, split at its first dot.

    `{{ rows }}` is the unit's rows, `{{ rows.c }}` their column, `{{ t.c }}` a column of the
    one-row table `t`, anything else a column of the unit.
    """
    return CompiledTemplate(tuple(_parts(text)))


def render(
    template: CompiledTemplate | str,
    unit_rows: Sequence[Mapping[str, Any]],
    single_row: bool,
    key: Mapping[str, Any],
    one_row_tables: Mapping[str, Mapping[str, Any]],
    *,
    before: Sequence[Mapping[str, Any]] = (),
    after: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the text of one unit; what rows contain is never read as a template.

    `{{ column }}` is the value in a unit of one row and the group key (`key`) in others. `rows`
    and `rows.column` are JSON arrays over `before`, the unit's rows and `after`, in row order.
    A scalar renders as its text (true, false and numbers as in JSON, null as nothing), lists
    and objects as JSON. Raises RenderError for a name the unit does not have.
    """
    compiled = compile_template(template) if isinstance(template, str) else template
    scalars = unit_rows[0] if single_row and unit_rows else key
    window = [*before, *unit_rows, *after]
    return "".join(
        part if isinstance(part, str) else _value(part, scalars, window, one_row_tables)
        for part in compiled.parts
    )


def references(stage: StagePlan) -> set[str]:
    """Return the names of the one-row tables a stage's template uses."""
    return {placeholder.table for placeholder in _placeholders(stage) if placeholder.table}


def to_text(value: Any) -> str:
    """Return how one value stands in a prompt (see `render`)."""
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


def _parts(text: str) -> Iterator[str | Placeholder]:
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        if match.start() > end:
            yield text[end : match.start()]
        yield _placeholder(match[1])
        end = match.end()
    if end < len(text):
        yield text[end:]


def _placeholder(name: str) -> Placeholder:
    owner, dot, column = (part.strip() for part in name.partition("."))
    if name == "rows":
        return Placeholder("rows", "", "", name)
    if not dot:
        return Placeholder("column", name, "", name)
    if owner == "rows":
        return Placeholder("rows.column", column, "", name)
    return Placeholder("table.column", column, owner, name)


def _value(
    placeholder: Placeholder,
    scalars: Mapping[str, Any],
    window: list[Mapping[str, Any]],
    tables: Mapping[str, Mapping[str, Any]],
) -> str:
    try:
        if placeholder.kind == "column":
            return to_text(scalars[placeholder.column])
        if placeholder.kind == "table.column":
            return to_text(tables[placeholder.table][placeholder.column])
        if placeholder.kind == "rows":
            return to_text(window)
        return to_text([row[placeholder.column] for row in window])
    except KeyError as missing:
        raise RenderError(f"no value for {{{{ {placeholder.text} }}}}") from missing


def _placeholders(stage: StagePlan) -> tuple[Placeholder, ...]:
    if stage.template is None:
        return ()
    instructions = compile_template(stage.template.instructions)
    return instructions.placeholders + compile_template(stage.template.input).placeholders
