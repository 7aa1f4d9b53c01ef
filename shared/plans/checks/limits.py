"""Limits: of a stage's own numbers, and of the policy over the whole plan."""

from collections.abc import Iterator

from shared.contracts.findings import Finding, error, json_pointer, warning
from shared.domain.plan import StagePlan
from shared.plans.price import price
from shared.plans.view import PlanView

RANGES: dict[str, tuple[float, float]] = {
    "replicas": (1, 25),
    "retries": (0, 20),
    "timeout_s": (0.1, 86_400),
    "max_failed": (0, 1),
}


def check_limits(view: PlanView) -> Iterator[Finding]:
    """Yield findings on ranges, counts, and the budget."""
    for stage in view.stages():
        for name, (low, high) in RANGES.items():
            value = getattr(stage.stage, name)
            if value is not None and not low <= value <= high:
                detail = f"Give `{name}` between {low:g} and {high:g}; it is {value:g}."
                yield error("out_of_range", stage.pointer(name), detail)
        if stage.stage.agree is not None and stage.stage.replicas == 1:
            detail = "`agree` combines replicas; set `replicas` above 1 or remove `agree`."
            yield error("agree_without_replicas", stage.pointer("agree"), detail)
    yield from _totals(view)


def _totals(view: PlanView) -> Iterator[Finding]:
    limits, stages = view.facts.limits, view.plan.stages
    if len(stages) > limits.max_stages:
        detail = f"The plan has {len(stages)} stages; at most {limits.max_stages} are allowed."
        yield error("too_many_stages", json_pointer("stages"), detail)
        return
    cost = price(view.plan, view.facts, view.facts.prices)
    subtasks = cost.total.subtasks.low
    if limits.max_subtasks is not None and subtasks > limits.max_subtasks:
        largest = max(cost.stages, key=lambda stage: stage.subtasks.low)
        detail = (
            f"The plan makes at least {subtasks:,} subtasks; {limits.max_subtasks:,} are allowed. "
            "Use larger units, fewer replicas or less data."
        )
        yield error("too_many_subtasks", _at(stages, largest.name), detail)
    tokens = cost.total.input_tokens.low + cost.total.output_tokens.low
    if limits.max_tokens is not None and tokens > limits.max_tokens:
        dearest = max(cost.stages, key=lambda stage: stage.input_tokens.low)
        detail = (
            f"The plan needs at least {tokens:,} tokens; {limits.max_tokens:,} are allowed. "
            "Shorten the templates or use less data."
        )
        yield error("too_many_tokens", _at(stages, dearest.name), detail)
    expected = cost.total.cost_microusd.expected
    if limits.budget_microusd is not None and expected > limits.budget_microusd:
        detail = (
            f"About {expected / 1e6:.2f} USD is expected and the budget is "
            f"{limits.budget_microusd / 1e6:.2f} USD; the job would pause there."
        )
        yield warning("over_budget", json_pointer("stages"), detail)


def _at(stages: tuple[StagePlan, ...], name: str) -> str:
    return json_pointer("stages", [stage.name for stage in stages].index(name))
