"""Warnings: plans that run, yet hardly as their author thinks."""

import re
from collections.abc import Iterator

from shared.contracts.findings import Finding, warning
from shared.plans.price import price
from shared.plans.streaming import open_inputs, works_while_open
from shared.plans.view import PlanView

_OTHER_ROWS = re.compile(
    r"\b(?:other|previous|preceding|next|following|remaining|neighbou?ring|earlier|later)\s+"
    r"(?:row|record|item|unit|ticket|document|line|entr(?:y|ie)|subtask|task)s?\b"
    r"|\brest of the\s+(?:rows|records|items|table|data|dataset|file)\b",
    re.IGNORECASE,
)


def check_advice(view: PlanView) -> Iterator[Finding]:
    """Yield `will_fold`, `waits_for_end` and `mentions_other_rows`."""
    yield from _folding(view)
    yield from _waiting(view)
    for stage in view.stages():
        template = stage.stage.template
        if template is None or stage.stage.unit.kind == "table":
            continue
        for part, text in (("instructions", template.instructions), ("input", template.input)):
            found = _OTHER_ROWS.search(text)
            if found is not None:
                detail = (
                    f"`{found[0]}`: a subtask sees its own unit only. Put what it needs into the "
                    "brief, a one-row table, or a larger unit."
                )
                yield warning("mentions_other_rows", stage.pointer("template", part), detail)


def _waiting(view: PlanView) -> Iterator[Finding]:
    still_open = open_inputs(view.facts)
    for stage in view.stages():
        reads = still_open.intersection(stage.stage.over)
        if reads and not works_while_open(stage.stage, view.facts):
            detail = (
                f"`{min(reads)}` is a stream: units of one row without overlap run as records "
                "come, this stage only once they have ended."
            )
            yield warning("waits_for_end", stage.pointer("unit"), detail)


def _folding(view: PlanView) -> Iterator[Finding]:
    priced = {stage.name: stage for stage in price(view.plan, view.facts, {}).stages}
    limit = view.facts.limits.max_unit_tokens
    for stage in view.stages():
        estimate = priced.get(stage.stage.name)
        if estimate is None or estimate.model is None or stage.stage.unit.single_row:
            continue  # what calls no model folds at no cost worth a word
        if estimate.unit_tokens > limit:
            detail = (
                f"A unit is expected to hold {estimate.unit_tokens:,} tokens, above {limit:,}; it "
                "will be folded in several steps. Group more finely to avoid that."
            )
            yield warning("will_fold", stage.pointer("unit"), detail)
