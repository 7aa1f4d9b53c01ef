"""Summaries: of each row, group, section or paragraph, of each level above, and of the whole."""

from dataclasses import dataclass
from typing import Any, Literal

from shared.plans.facts import PlanFacts
from shared.plans.goals.inputs import (
    Source,
    find_column,
    find_source,
    identifying,
    main_text_column,
    unknown_column,
)
from shared.plans.goals.levels import in_order, split_params
from shared.plans.goals.refusal import RulesRefusal
from shared.plans.goals.summarise_words import Request, read_request
from shared.plans.goals.words import forms, free_name, quoted, snake
from shared.plans.goals.write import others, plan_document, query, stage

_SENTENCES = {"part": 3, "above": 5, "whole": 8}


@dataclass(frozen=True, slots=True)
class _Summaries:
    """A written stage of summaries: what its rows are, and the columns that tell them apart.

    `positions` says how the stage carries the position of the sections a summary was made of.
    """

    level: str
    table: str
    names: tuple[str, ...]
    positions: Literal["value", "list"] | None


class _Writer:
    """Collects stages with names that are free."""

    def __init__(self, facts: PlanFacts) -> None:
        self.taken = set(facts.tables)
        self.stages: list[dict[str, Any]] = []
        self.summaries: list[_Summaries] = []

    def add(self, written: dict[str, Any]) -> str:
        """Append a stage under a free name, which is returned."""
        name = free_name(written["name"], self.taken)
        self.taken.add(name)
        self.stages.append({**written, "name": name})
        return name

    def summarise(
        self,
        level: str,
        over: str,
        unit: dict[str, Any],
        field: str,
        names: tuple[str, ...],
        *,
        kind: str = "part",
        keep: tuple[str, ...] = (),
    ) -> str:
        """Append a stage of summaries of one level."""
        wanted = "whole" if kind == "whole" else f"{snake(level) or 'group'}_summaries"
        params = {"field": field, "sentences": _SENTENCES[kind]}
        name = self.add(stage(wanted, over, unit, "summarize", params, keep))
        single: Literal["value", "list"] = "value" if unit == {"rows": 1} else "list"
        positions = single if "position" in keep else None
        self.summaries.append(_Summaries(level, name, names, positions))
        return name

    def document(self) -> dict[str, Any]:
        """Return the plan; several stages of summaries are put into one table as the result."""
        if len(self.summaries) == 1:
            return plan_document(self.stages, self.summaries[0].table)
        tables = [made.table for made in self.summaries]
        result = self.add(query("summaries", tables, _union(self.summaries)))
        return plan_document(self.stages, result)


def write_summaries(goal: str, facts: PlanFacts) -> dict[str, Any] | RulesRefusal | None:
    """Return the plan for a plain goal, None when it is not about summaries."""
    request = read_request(goal)
    if request is None:
        return None
    source = find_source(request.where, facts)
    if source is None or isinstance(source, RulesRefusal):
        return source
    text = main_text_column(source)
    if isinstance(text, RulesRefusal):
        return text
    if _as_columns(request, source):
        return _of_groups(request, source, text.name, facts)
    kinds = [bool(request.levels), bool(request.pieces), bool(request.rows), bool(request.columns)]
    if sum(kinds) > 1 or len(request.pieces) > 1:
        return None
    if request.levels:
        return _of_levels(request, source, text.name, facts)
    if request.pieces:
        return _of_pieces(request, source, text.name, facts)
    if request.columns:
        return _of_groups(request, source, text.name, facts)
    return _of_rows(request, source, text.name, facts)


def _of_levels(request: Request, source: Source, text: str, facts: PlanFacts) -> dict[str, Any]:
    writer, documents = _Writer(facts), identifying(source)
    names = [level.name for level in in_order(request.levels)]
    cut = stage(
        "sections", source.name, {"rows": 1}, "split", split_params(text, request.levels), documents
    )
    sections = writer.add(cut)
    carried = (*documents, *names)
    parts = writer.summarise(
        names[-1], sections, {"rows": 1}, "text", carried, keep=(*carried, "position")
    )
    for depth in range(len(names) - 1, 0, -1):
        above = tuple(names[:depth])
        _add_level(writer, parts, documents, above)
    _add_tops(writer, request, parts, documents)
    return writer.document()


def _add_level(
    writer: _Writer, parts: str, documents: tuple[str, ...], above: tuple[str, ...]
) -> None:
    # What stands outside every act (a prologue) is a part of its own but makes no act.
    inside = f"{quoted(parts)} WHERE {quoted(above[-1])} IS NOT NULL"
    select = f"SELECT * FROM {inside}"  # noqa: S608 - identifiers are quoted
    within = writer.add(query(f"within_{above[-1]}s", [parts], select))
    unit = {"group_by": [*documents, *above], "order_by": ["position"]}
    names = (*documents, *above)
    writer.summarise(above[-1], within, unit, "summary", names, kind="above", keep=("position",))


def _of_pieces(request: Request, source: Source, text: str, facts: PlanFacts) -> dict[str, Any]:
    writer, documents, piece = _Writer(facts), identifying(source), request.pieces[0]
    cut = {"field": text, "by": piece}
    pieces = writer.add(stage(f"{piece}s", source.name, {"rows": 1}, "split", cut, documents))
    keep = (*documents, "position")
    parts = writer.summarise(piece, pieces, {"rows": 1}, "text", documents, keep=keep)
    _add_tops(writer, request, parts, documents)
    return writer.document()


def _of_groups(
    request: Request, source: Source, text: str, facts: PlanFacts
) -> dict[str, Any] | RulesRefusal:
    columns = []
    for phrase in (*request.columns, *request.rows):
        column = find_column(phrase, source.table)
        if column is None:
            return unknown_column(phrase, source)
        columns.append(column.name)
    writer = _Writer(facts)
    level = " and ".join(columns)
    parts = writer.summarise(
        level, source.name, {"group_by": columns}, text, tuple(columns), kind="above"
    )
    if request.whole:
        writer.summarise("whole", parts, {"table": True}, "summary", (), kind="whole")
    return writer.document()


def _of_rows(
    request: Request, source: Source, text: str, facts: PlanFacts
) -> dict[str, Any] | None:
    writer = _Writer(facts)
    noun = request.rows[0] if request.rows else "document"
    known = noun == "row" or forms(noun) & forms(source.name) or len(noun.split()) == 1
    if len(request.rows) > 1 or not known:
        return None
    if request.rows or request.documents:
        keep = tuple(others(source.table, (text, "summary")))
        named = tuple(name for name in identifying(source) if name in keep)
        over = writer.summarise(noun, source.name, {"rows": 1}, text, named, keep=keep)
        if not request.whole:
            return writer.document()
        writer.summarise("whole", over, {"table": True}, "summary", (), kind="whole")
        return writer.document()
    writer.summarise("whole", source.name, {"table": True}, text, (), kind="whole")
    return writer.document()


def _add_tops(writer: _Writer, request: Request, parts: str, documents: tuple[str, ...]) -> None:
    # over the parts and not the levels above them, so that a prologue is in the whole as well
    if request.documents and documents:
        unit = {"group_by": list(documents), "order_by": ["position"]}
        writer.summarise(
            "document", parts, unit, "summary", documents, kind="above", keep=("position",)
        )
    if request.whole or (request.documents and not documents):
        writer.summarise(
            "whole", parts, {"table": True}, "summary", (), kind="whole", keep=("position",)
        )


def _as_columns(request: Request, source: Source) -> bool:
    """Return True when the nouns after `each` are columns of the table (`each category`)."""
    return (
        bool(request.rows)
        and not (request.levels or request.pieces)
        and all(
            find_column(noun, source.table) is not None and not forms(noun) & forms(source.name)
            for noun in request.rows
        )
    )


def _union(summaries: list[_Summaries]) -> str:
    """Return one SELECT that puts the levels below each other, in the order they were written."""
    names = list(dict.fromkeys(name for made in summaries for name in made.names))
    return " UNION ALL ".join(_selection(made, names) for made in summaries)


def _selection(made: _Summaries, names: list[str]) -> str:
    columns = [quoted(name) if name in made.names else f"NULL AS {quoted(name)}" for name in names]
    level = made.level.replace("'", "''")
    label = quoted(free_name("level", [name.lower() for name in names]))
    selected = ", ".join([f"'{level}' AS {label}", *columns, *_positions(made), '"summary"'])
    return f"SELECT {selected} FROM {quoted(made.table)}"  # noqa: S608 - identifiers are quoted


def _positions(made: _Summaries) -> list[str]:
    """Return the column that leads every summary back to the sections it was made of."""
    made_of = {"value": 'to_json(["position"])', "list": '"position"'}
    return [f'{made_of[made.positions]} AS "positions"'] if made.positions else []
