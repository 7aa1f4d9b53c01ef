"""Finds the table and the columns a goal speaks of."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.domain.columns import Column
from shared.plans.facts import PlanFacts, TableFacts
from shared.plans.goals.refusal import RulesRefusal
from shared.plans.goals.words import forms, items, same, without_articles

TEXT_NAMES = (
    "text",
    "body",
    "message",
    "description",
    "comment",
    "content",
    "note",
    "transcript",
    "question",
    "answer",
    "review",
    "feedback",
    "subject",
    "title",
)
_CONTACT = re.compile(
    r"\b(?:e ?mail|mail|phone|mobile|cell|fax|tel|contact|address|iban|account|card|ip|url|link"
    r"|website|ssn|tax id|national id|passport|login|token|secret|password)\b"
)
_GENERIC = {
    "",
    *("text", "table", "file", "data", "dataset", "data set", "input", "csv", "document", "it"),
    *("row", "rows", "record", "records", "entry", "entries", "item", "items", "line", "lines"),
    *("texts", "files", "documents", "tables", "columns", "text columns", "table rows"),
}
_LONG = 30  # characters on average: longer values are prose rather than labels


@dataclass(frozen=True, slots=True)
class Source:
    """The table a goal is about and, where it names some, its columns."""

    name: str
    table: TableFacts
    named: tuple[Column, ...] = ()


def input_tables(facts: PlanFacts) -> dict[str, TableFacts]:
    """Return the job's own tables, without stage tables of earlier rounds."""
    return {name: table for name, table in facts.tables.items() if name not in facts.earlier_stages}


def find_source(phrase: str | None, facts: PlanFacts) -> Source | RulesRefusal | None:
    """Return what ``the subject and body of the tickets`` means; None when it is not understood.

    The table may be named, called by a generic word (rows, records, the text) or, when there
    is only one, by any single noun. A phrase of more words that names nothing is not guessed at.
    """
    text = without_articles(phrase or "")
    columns_text, said_column, table_text = _columns_and_table(text)
    chosen = _table(table_text, facts)
    if isinstance(chosen, Source):
        named = [find_column(part, chosen.table) for part in items(columns_text)]
        found = tuple(column for column in named if column is not None)
        if columns_text and len(found) == len(named):
            return Source(chosen.name, chosen.table, found)
        if said_column:
            return unknown_column(columns_text, chosen)
    whole = _table(text, facts)
    if isinstance(whole, Source):
        return whole
    for name, table in input_tables(facts).items():
        named = [find_column(part, table) for part in items(text)]
        if named and all(named) and len(input_tables(facts)) == 1:
            return Source(name, table, tuple(column for column in named if column is not None))
    return whole


def find_column(phrase: str, table: TableFacts) -> Column | None:
    """Return the column a phrase names, exactly or but for case, underscores and number."""
    words = re.sub(r"^(?:columns?|fields?) | (?:columns?|fields?)$", "", without_articles(phrase))
    exact = [column for column in table.columns if column.name.lower() == words]
    alike = [column for column in table.columns if same(column.name, words)]
    return next(iter(exact + alike), None)


def unknown_column(phrase: str, source: Source) -> RulesRefusal:
    """Return the refusal for a column the table lacks."""
    there = ", ".join(column.name for column in source.table.columns)
    detail = f"`{source.name}` has no column `{phrase}`; its columns are: {there}."
    return RulesRefusal("unknown_column", detail)


def main_text_column(source: Source) -> Column | RulesRefusal:
    """Return the column that holds the text: as named, by a usual name, else the longest."""
    if source.named:
        return source.named[0]
    ranked = ranked_texts(source.table)
    if ranked:
        return ranked[0]
    detail = f"`{source.name}` has no text column to work on; name one in the goal."
    return RulesRefusal("no_text_column", detail)


def ranked_texts(table: TableFacts) -> list[Column]:
    """Return the text columns but the key, those of usual names first, then the longest."""
    texts = [column for column in table.columns if column.type == "string"]
    lengths = mean_lengths(table)
    texts = [column for column in texts if column.name != table.key] or texts
    return sorted(texts, key=lambda column: (_usual(column), -lengths.get(column.name, 0.0)))


def sensitive_columns(source: Source) -> list[Column]:
    """Return the columns personal data may stand in, the main text last.

    Text columns of usual names, long ones, ones named after contacts or showing an address, and
    JSON. The key is left alone: without it the result could not be joined.
    """
    if source.named:
        return list(reversed(source.named))
    table, lengths = source.table, mean_lengths(source.table)
    others = [column for column in table.columns if column.name != table.key]
    chosen = [column for column in others if _may_be_personal(column, table, lengths)]
    ranked = [column for column in ranked_texts(table) if column.name != table.key]
    chosen = chosen or ranked[:1]
    order = {column.name: place for place, column in enumerate(ranked)}
    return sorted(chosen, key=lambda column: order.get(column.name, len(order)), reverse=True)


def mean_lengths(table: TableFacts) -> Mapping[str, float]:
    """Return the mean length of each column's values, from statistics or the samples."""
    sampled = {
        column.name: _mean([len(str(row.get(column.name) or "")) for row in table.samples])
        for column in table.columns
    }
    return {**sampled, **table.mean_chars}


def identifying(source: Source) -> tuple[str, ...]:
    """Return the columns that tell the rows of a table of documents apart; none for one row."""
    if source.table.key is not None:
        return (source.table.key,)
    if source.table.rows == 1:
        return ()
    names = ("name", "document", "file", "file name", "path", "id")
    found = [
        column.name for name in names for column in source.table.columns if same(column.name, name)
    ]
    return tuple(found[:1])


def _columns_and_table(text: str) -> tuple[str, bool, str]:
    """Return the words for columns, whether they were called columns, the words for the table."""
    called = re.fullmatch(r"(.+?) (?:columns?|fields?)(?: (?:of|in|from) (.+))?", text)
    called = called or re.fullmatch(r"(?:columns?|fields?) (.+?)(?: (?:of|in|from) (.+))?", text)
    if called is not None:
        return called[1], True, without_articles(called[2] or "")
    apart = re.fullmatch(r"(.+?) (?:of|in|from) (.+)", text)
    if apart is not None:
        return apart[1], False, without_articles(apart[2])
    return "", False, text


def _table(phrase: str, facts: PlanFacts) -> Source | RulesRefusal | None:
    tables = input_tables(facts)
    if not tables:
        return RulesRefusal("no_table", "The job has no input table; give one in `inputs`.")
    words = re.sub(r"\s+(?:table|file|data|dataset|rows|records)$", "", phrase)
    for name, table in tables.items():
        if same(name, words) or same(name, phrase):
            return Source(name, table)
    understood = phrase in _GENERIC or words in _GENERIC or re.fullmatch(r"[\w-]+", words)
    if not understood:
        return None
    if len(tables) == 1:
        name, table = next(iter(tables.items()))
        named_column = any(same(column.name, words) for column in table.columns)
        return None if named_column and phrase not in _GENERIC else Source(name, table)
    names = ", ".join(f"`{name}`" for name in tables)
    return RulesRefusal("ambiguous_table", f"Say which table is meant: {names}.")


def _may_be_personal(column: Column, table: TableFacts, lengths: Mapping[str, float]) -> bool:
    words = next(iter(sorted(forms(column.name), key=len, reverse=True)), "")
    if column.type == "json":
        return column.name != "entities"
    if column.type == "integer":
        return _CONTACT.search(words) is not None
    if column.type != "string":
        return False
    shown: Sequence[str] = [str(row.get(column.name) or "") for row in table.samples]
    return (
        _usual(column) < len(TEXT_NAMES)
        or lengths.get(column.name, 0.0) >= _LONG
        or _CONTACT.search(words) is not None
        or any("@" in value for value in shown)
    )


def _usual(column: Column) -> int:
    for place, name in enumerate(TEXT_NAMES):
        if same(column.name, name):
            return place
    return len(TEXT_NAMES)


def _mean(lengths: list[int]) -> float:
    return sum(lengths) / len(lengths) if lengths else 0.0
