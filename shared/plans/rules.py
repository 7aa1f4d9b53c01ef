"""The `rules` planner: recognises a documented set of goals and writes a real plan for each."""

from collections.abc import Callable
from typing import Any

from shared.contracts.plan import PlanShapeError, load_plan
from shared.plans.facts import PlanFacts
from shared.plans.goals.count import write_count
from shared.plans.goals.extract import write_extraction
from shared.plans.goals.redact import write_redaction
from shared.plans.goals.refusal import CAN_DO, RulesRefusal, not_recognised
from shared.plans.goals.split import write_split
from shared.plans.goals.summarise import write_summaries
from shared.plans.goals.words import plain
from shared.plans.lint import lint

__all__ = ["CAN_DO", "RulesRefusal", "plan_by_rules"]

_MAX_GOAL = 400  # no pattern is as long; the bound keeps matching cheap
_Rule = Callable[[str, PlanFacts], dict[str, Any] | RulesRefusal | None]
_RULES: tuple[_Rule, ...] = (
    write_redaction,
    write_summaries,
    write_extraction,
    write_split,
    write_count,
)


def plan_by_rules(goal: str, facts: PlanFacts) -> dict[str, Any] | RulesRefusal:
    """Return the plan document for a goal in English, or why the rules cannot write one.

    The whole goal must be understood: a part that is not is a refusal, never left out. The
    document returned passes the linter with these facts.
    """
    text = plain(goal) if len(goal) <= _MAX_GOAL else ""
    for rule in _RULES:
        written = rule(text, facts)
        if isinstance(written, RulesRefusal):
            return written
        if written is not None:
            return _checked(written, facts)
    return not_recognised()


def _checked(document: dict[str, Any], facts: PlanFacts) -> dict[str, Any] | RulesRefusal:
    try:
        findings = lint(load_plan(document), facts)
    except PlanShapeError as problem:
        findings = problem.findings
    refused = next((finding for finding in findings if finding.severity == "error"), None)
    if refused is None:
        return document
    detail = f"The goal is understood, but its plan cannot run here: {refused.detail}"
    return RulesRefusal(refused.code, detail)
