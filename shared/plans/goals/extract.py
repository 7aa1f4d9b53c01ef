"""Extract named fields by pattern; every other column stays."""

import re
from typing import Any

from shared.plans.facts import PlanFacts
from shared.plans.goals.inputs import find_source, main_text_column
from shared.plans.goals.refusal import RulesRefusal
from shared.plans.goals.words import free_name, items, without_articles
from shared.plans.goals.write import others, plan_document, stage

_GOAL = re.compile(
    r"(?:extract|pull out|pull|get|find) (?P<fields>.+?)(?: (?:from|in|out of) (?P<where>.+))?"
)
_FIELDS: dict[str, tuple[str, str]] = {
    "email": (r"e-?mails?(?: address(?:es)?)?", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}"),
    "phone": (r"(?:tele)?phone(?: numbers?)?s?", r"\+?\(?\d[\d ()./-]{6,}\d"),
    "url": (r"urls?|links?|web address(?:es)?", r"https?://[^\s<>\"')\]]+"),
    "ip_address": (r"ip(?: address(?:es)?)?", r"\b(?:\d{1,3}\.){3}\d{1,3}\b"),
    "date": (r"dates?", r"\b(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{2,4})\b"),
    "time": (r"times?", r"\b\d{1,2}:\d{2}(?::\d{2})?\b"),
    "amount": (
        r"amounts?|prices?|sums?",
        r"(?:[$€£] ?\d[\d.,]*|\b\d[\d.,]* ?(?:€|USD|EUR|GBP|dollars|euros)\b)",
    ),
    "percentage": (r"percentages?|percents?", r"\d+(?:[.,]\d+)? ?%"),
    "iban": (r"ibans?", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"),
    "hashtag": (r"hash ?tags?", r"#\w+"),
    "version": (r"versions?(?: numbers?)?", r"\bv?\d+\.\d+(?:\.\d+)*\b"),
}
_NUMBERED = ("order", "invoice", "ticket", "customer", "reference", "account", "tracking", "case")
_NUMBER_WORDS = re.compile(rf"({'|'.join(_NUMBERED)}) (?:numbers?|nos?\.?|ids?)")


def write_extraction(goal: str, facts: PlanFacts) -> dict[str, Any] | RulesRefusal | None:
    """Return the plan for a plain goal, None when it is not about extraction."""
    found = _GOAL.fullmatch(goal)
    if found is None:
        return None
    patterns: dict[str, str] = {}
    for item in items(found["fields"]):
        known = _field(without_articles(item))
        if known is None:
            return _unknown(item) if goal.startswith(("extract", "pull")) else None
        patterns[known[0]] = known[1]
    source = find_source(found["where"], facts)
    if source is None or isinstance(source, RulesRefusal):
        return source
    text = main_text_column(source)
    if isinstance(text, RulesRefusal):
        return text
    taken = {column.name for column in source.table.columns}
    free = {free_name(name, taken): pattern for name, pattern in patterns.items()}
    name = free_name("extracted", facts.tables)
    keep = others(source.table, ())
    params = {"field": text.name, "patterns": free}
    return plan_document([stage(name, source.name, {"rows": 1}, "extract", params, keep)], name)


def _field(words: str) -> tuple[str, str] | None:
    """Return the column and the pattern a field name stands for."""
    for name, (spelling, pattern) in _FIELDS.items():
        if re.fullmatch(spelling, words):
            return name, pattern
    numbered = _NUMBER_WORDS.fullmatch(words)
    if numbered is None:
        return None
    label = (
        rf"(?i)\b{numbered[1]}\s*(?:number|no\.?|nr\.?|id)?\s*[:#]?\s*#?([a-z]{{0,5}}-?\d[\w-]*)"
    )
    return f"{numbered[1]}_number", label


def _unknown(item: str) -> RulesRefusal:
    known = ", ".join([*_FIELDS, *(f"{word} number" for word in _NUMBERED)])
    detail = (
        f"No pattern is known for `{item}`. Known are: {known}. For others submit a plan with an "
        "`extract` stage and `patterns` of your own."
    )
    return RulesRefusal("unknown_field_name", detail)
