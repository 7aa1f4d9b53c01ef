"""Split texts into paragraphs, sentences, headed sections or chunks of tokens."""

import re
from typing import Any

from shared.plans.facts import PlanFacts
from shared.plans.goals.inputs import find_source, main_text_column
from shared.plans.goals.levels import level_of, piece_of, split_params
from shared.plans.goals.refusal import RulesRefusal
from shared.plans.goals.words import free_name, items, without_articles
from shared.plans.goals.write import others, plan_document, stage

_GOAL = re.compile(
    r"(?:split|cut|break|break up|chunk|divide) (?P<what>.+?) (?:into|in|by|at|to) (?P<pieces>.+)"
)
_SIZED = re.compile(
    r"(?:chunks?|pieces?|parts|blocks?|groups?) of (?:about |at most |up to |roughly )?"
    r"(?P<size>\d[\d,]{0,8}) (?P<of>tokens?|sentences?|paragraphs?)(?: each)?"
)


def write_split(goal: str, facts: PlanFacts) -> dict[str, Any] | RulesRefusal | None:
    """Return the plan for a plain goal, None when it is not about splitting."""
    found = _GOAL.fullmatch(goal)
    if found is None or _params(found["pieces"], "") is None:
        return None
    source = find_source(found["what"], facts)
    if source is None or isinstance(source, RulesRefusal):
        return source
    text = main_text_column(source)
    if isinstance(text, RulesRefusal):
        return text
    params = _params(found["pieces"], text.name) or {}
    levels = [str(level["column"]) for level in params.get("levels", [])]
    keep = others(source.table, ("text", "position", text.name, *levels))
    name = free_name("pieces", facts.tables)
    written = stage(name, source.name, {"rows": 1}, "split", params, keep)
    return plan_document([written], name)


def _params(pieces: str, field: str) -> dict[str, Any] | None:
    sized = _SIZED.fullmatch(pieces)
    if sized is not None:
        by = sized["of"].rstrip("s")
        size = int(sized["size"].replace(",", ""))
        return {"field": field, "by": "tokens" if by == "token" else by, "size": size}
    nouns = [without_articles(item) for item in items(pieces)]
    if len(nouns) == 1 and (piece := piece_of(nouns[0])) is not None:
        return {"field": field, "by": piece}
    levels = [level for noun in nouns if (level := level_of(noun)) is not None]
    if not levels or len(levels) < len(nouns):
        return None
    return split_params(field, levels)
