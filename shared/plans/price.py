"""What a plan will cost: units, tokens and micro-dollars as low, expected, high; makes no call."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from shared.domain.plan import Plan, StagePlan
from shared.plans.columns import resolve
from shared.plans.estimate import (
    UNKNOWN_CHARS,
    Range,
    StageEstimate,
    TableEstimate,
    estimate,
)
from shared.plans.facts import ModelPrice, PlanFacts
from shared.plans.render import compile_template

# Characters per token: 4 is the usual rule for English prose; 5 bounds plain prose from below,
# 2.5 what digits, code, JSON and other scripts take.
CHARS_PER_TOKEN = {"low": 5.0, "expected": 4.0, "high": 2.5}
CALLS_MODEL = frozenset({"llm", "agent", "chat"})
DEFAULT_MODEL = "worker"
DEFAULT_MAX_OUTPUT_TOKENS = 1_000
DEFAULT_MAX_STEPS = 10
TOKENS_PER_FIELD = {"low": 3, "expected": 40}  # of output; high is max_output_tokens
TOKENS_PER_IMAGE = (85, 1_000, 2_500)  # low, expected, high: vendors count by size, in own ways
IMAGE_LABEL_CHARS = 9  # `[image 1]` stands in the text for it
CALL_OVERHEAD_CHARS = 200  # roles, marks around the data, the request to follow the schema


@dataclass(frozen=True, slots=True)
class Cost:
    """Units, subtasks (units x replicas), tokens and micro-dollars."""

    units: Range
    subtasks: Range
    input_tokens: Range
    output_tokens: Range
    cost_microusd: Range

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.units + other.units,
            self.subtasks + other.subtasks,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_microusd + other.cost_microusd,
        )

    def to_json(self) -> dict[str, Any]:
        """Return one ``{"low", "expected", "high"}`` per measure."""
        return {name: getattr(self, name).to_json() for name in _MEASURES}


@dataclass(frozen=True, slots=True)
class StagePrice:
    """The cost of one stage; `model` is None for capabilities that call none.

    `unit_tokens` is the expected input of one unit, for the question whether it folds.
    """

    name: str
    model: str | None
    unit_tokens: int
    cost: Cost

    @property
    def subtasks(self) -> Range:
        """Subtasks of the stage."""
        return self.cost.subtasks

    @property
    def input_tokens(self) -> Range:
        """Input tokens of the stage."""
        return self.cost.input_tokens


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a plan; `unpriced` names models that no price is known for (counted as 0)."""

    stages: tuple[StagePrice, ...]
    total: Cost
    unpriced: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the form of the HTTP interface."""
        stages = [
            {"name": stage.name, "model": stage.model, **stage.cost.to_json()}
            for stage in self.stages
        ]
        return {"stages": stages, "total": self.total.to_json(), "unpriced": list(self.unpriced)}


def price(plan: Plan, facts: PlanFacts, prices: Mapping[str, ModelPrice]) -> Price:
    """Return what a plan costs from the sizes in `facts`; stages of unknown input are left out.

    Capabilities that call no model cost nothing. Tokens come from characters (CHARS_PER_TOKEN).
    """
    made = estimate(plan, facts, resolve(plan, facts))
    stages = tuple(
        _stage_price(plan, stage, made[stage.name], prices)
        for stage in plan.stages
        if stage.name in made
    )
    total = sum((stage.cost for stage in stages), _NOTHING)
    used = {stage.model for stage in stages if stage.model is not None}
    return Price(stages, total, tuple(sorted(used - prices.keys())))


_MEASURES = ("units", "subtasks", "input_tokens", "output_tokens", "cost_microusd")
_ZERO = Range.exactly(0)
_NOTHING = Cost(_ZERO, _ZERO, _ZERO, _ZERO, _ZERO)


def _stage_price(
    plan: Plan, stage: StagePlan, made: StageEstimate, prices: Mapping[str, ModelPrice]
) -> StagePrice:
    replicas = max(1, stage.replicas)
    subtasks = made.units.times(replicas)
    per_unit, per_row = _rendered_chars(stage, made)
    unit_chars = per_unit + per_row * made.rows_per_unit
    images = len(_image_columns(stage))
    unit_tokens = math.ceil(
        unit_chars / CHARS_PER_TOKEN["expected"] + images * TOKENS_PER_IMAGE[1] * made.rows_per_unit
    )
    if stage.capability not in CALLS_MODEL:
        cost = Cost(made.units, subtasks, _ZERO, _ZERO, _ZERO)
        return StagePrice(stage.name, None, unit_tokens, cost)
    calls = subtasks + (made.units if stage.agree == "judge" else _ZERO)
    prefix = _prefix_chars(plan, stage) / _positive(stage, "pack", 1)
    chars = calls.times(prefix + per_unit) + made.rows_seen.times(per_row * replicas)
    tokens_in = chars.times(*_tokens_per_char(stage))
    if images:
        tokens_in += made.rows_seen.times(replicas * images).times(*_tokens_per_image(stage))
    tokens_out = calls.times(*_output_tokens(stage))
    model = str(stage.params.get("model", DEFAULT_MODEL))
    known = prices.get(model, ModelPrice(0, 0))
    dollars = tokens_in.times(known.input_usd_per_million) + tokens_out.times(
        known.output_usd_per_million
    )
    cost = Cost(made.units, subtasks, tokens_in, tokens_out, dollars)
    return StagePrice(stage.name, model, unit_tokens, cost)


def _tokens_per_char(stage: StagePlan) -> tuple[float, float, float]:
    once, some, all_ = _sendings(stage)
    return (
        once / CHARS_PER_TOKEN["low"],
        some / CHARS_PER_TOKEN["expected"],
        all_ / CHARS_PER_TOKEN["high"],
    )


def _tokens_per_image(stage: StagePlan) -> tuple[float, float, float]:
    (low, expected, high), (once, some, all_) = TOKENS_PER_IMAGE, _sendings(stage)
    return once * low, some * expected, all_ * high


def _sendings(stage: StagePlan) -> tuple[float, float, float]:
    # an agent sends its growing conversation again at each step
    steps = _positive(stage, "max_steps", DEFAULT_MAX_STEPS) if stage.capability == "agent" else 1
    return 1, (1 + steps) / 2, steps


def _output_tokens(stage: StagePlan) -> tuple[float, float, float]:
    most = _positive(stage, "max_output_tokens", DEFAULT_MAX_OUTPUT_TOKENS)
    fields = len((stage.output or {}).get("properties", {})) or 1
    low = min(most, fields * TOKENS_PER_FIELD["low"])
    return low, min(most, fields * TOKENS_PER_FIELD["expected"]), most


def _prefix_chars(plan: Plan, stage: StagePlan) -> float:
    instructions = stage.template.instructions if stage.template is not None else ""
    schema = orjson.dumps(stage.output or {})
    brief = plan.brief if stage.capability != "chat" else ""
    return float(len(brief) + len(instructions) + len(schema) + CALL_OVERHEAD_CHARS)


def _rendered_chars(stage: StagePlan, made: StageEstimate) -> tuple[float, float]:
    """Return the characters of one input: those once per unit, those per row of it."""
    if stage.template is None:
        field = stage.params.get("field")
        if isinstance(field, str):
            return 0.0, made.source.chars.get(field, UNKNOWN_CHARS)
        return 0.0, made.source.row_chars
    source = _with_labels(made.source, _image_columns(stage))
    per_unit, per_row = 0.0, 0.0
    for part in compile_template(stage.template.input).parts:
        if isinstance(part, str):
            per_unit += len(part)
        elif part.kind == "rows":
            per_row += source.row_chars + 2
        elif part.kind == "rows.column":
            per_row += source.chars.get(part.column, UNKNOWN_CHARS) + 3  # quotes, comma
        else:
            per_unit += source.chars.get(part.column, UNKNOWN_CHARS)
    return per_unit, per_row


def _image_columns(stage: StagePlan) -> list[str]:
    named = stage.params.get("images")
    return [str(name) for name in named] if isinstance(named, list) else []


def _with_labels(source: TableEstimate, images: list[str]) -> TableEstimate:
    """Return the table as templates see it: a label in the place of each image."""
    labels = {name: float(IMAGE_LABEL_CHARS) for name in images if name in source.chars}
    return replace(source, chars={**source.chars, **labels})


def _positive(stage: StagePlan, name: str, default: int) -> int:
    value = stage.params.get(name, default)
    return value if isinstance(value, int) and value > 0 else default
