"""What is known about a deployment and a job's tables when a plan is checked: metadata only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.capabilities.contract import Columns, Manifest
from shared.domain.columns import Column

BUILT_INS = frozenset(
    {"llm", "agent", "chat", "sql", "split", "redact", "summarize", "extract", "fetch"}
)


@dataclass(frozen=True, slots=True)
class OutputProblem:
    """Why a computed output schema could not be had.

    `code` is a linter code such as ``sql_unknown_table``; `pointer` is relative to `params`, empty
    for all of them (``/query`` where the code is one of sql's).
    """

    code: str
    detail: str
    pointer: str = ""


OutputOf = Callable[[str, Mapping[str, Columns], dict[str, Any]], "dict[str, Any] | OutputProblem"]
CheckParams = Callable[[str, dict[str, Any]], list[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class TableFacts:
    """Metadata of one input table, no more.

    `rows` is None while a stream is open. `distinct` counts the values of a column, where known;
    `mean_chars` is the mean length of its values as text; `samples` are a few clipped rows.
    """

    columns: tuple[Column, ...]
    rows: int | None = None
    key: str | None = None
    distinct: Mapping[str, int] = field(default_factory=dict)
    mean_chars: Mapping[str, float] = field(default_factory=dict)
    samples: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """US dollars per million tokens, which is the same number in micro-dollars per token."""

    input_usd_per_million: float
    output_usd_per_million: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What the policy of job, project and deployment allows; None is no limit.

    `max_unit_tokens` is the input above which a unit of several rows is folded.
    """

    max_stages: int = 50
    max_subtasks: int | None = 2_000_000
    max_tokens: int | None = None
    max_unit_tokens: int = 24_000
    budget_microusd: int | None = None
    tools: frozenset[str] = frozenset()
    allow_external: bool = False


def _no_computed_output(
    capability: str,
    inputs: Mapping[str, Columns],  # noqa: ARG001 - the shape of OutputOf
    params: dict[str, Any],  # noqa: ARG001
) -> dict[str, Any] | OutputProblem:
    return OutputProblem(
        "capability_unavailable", f"The output of `{capability}` cannot be computed here."
    )


def _no_check(capability: str, params: dict[str, Any]) -> list[tuple[str, str]]:  # noqa: ARG001
    return []


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """Everything the linter, the price and the rules may look at.

    `capabilities` are those of the live workers; `known` names others that exist but are not
    here. `output` is the job's schema of one result row. `output_of` computes the output schema
    of a capability such as `sql`; `check_params` returns ``[(pointer below params, sentence)]``
    for what a JSON Schema cannot say; both are called with parameters that satisfy the manifest's
    schema only. `earlier_stages` are stage tables of former rounds (also
    in `tables`). `model_available` says whether a model endpoint is configured; `without_images`
    are the names of those a probe found to take no images. `external_tools` are tools of agents
    with external effects; `tool_notes` say what tools do whose names the planner cannot know.
    """

    tables: Mapping[str, TableFacts]
    capabilities: Mapping[str, Manifest]
    known: frozenset[str] = BUILT_INS
    limits: Limits = Limits()
    output: Mapping[str, Any] | None = None
    output_of: OutputOf = _no_computed_output
    check_params: CheckParams = _no_check
    model_available: bool = False
    prices: Mapping[str, ModelPrice] = field(default_factory=dict)
    earlier_stages: frozenset[str] = frozenset()
    without_images: frozenset[str] = frozenset()
    external_tools: frozenset[str] = frozenset()
    tool_notes: Mapping[str, str] = field(default_factory=dict)
