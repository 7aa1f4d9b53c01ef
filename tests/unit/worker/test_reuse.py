"""Which stages take over answers: by capability, and by what their parameters let it use."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from services.worker.capabilities import agent, chat, fetch, llm, redact
from services.worker.load_units import LoadedUnit
from services.worker.reuse import look_up
from services.worker.stage_run import JobFacts
from shared.capabilities.builtin.agent import is_reusable_with
from shared.capabilities.contract import Unit, is_reusable
from shared.capabilities.registry import check_capability
from shared.plans.unit_hash import StageHasher
from tests.unit.worker.stage_runs import stage_run

NOBODY: Any = None
ALIKE = [LoadedUnit(Unit(number, [{"text": "the same"}])) for number in range(3)]


@dataclass(frozen=True)
class Stranger:
    """As much of a model capability as reuse looks at."""

    reusable: Any
    queue: str = "model"
    effects: str = "none"
    units: tuple[str, ...] = field(default=("rows",))


def runs_of(capability: Any, **params: Any) -> int:
    """Return how many of three equal units of one shard are run."""
    run = stage_run()
    run = replace(
        run,
        capability=capability,
        spec=replace(run.spec, params=params),
        hasher=StageHasher(capability="any", version="1", params=params),
        job=JobFacts(project_id="p", weight=1.0, small=True, max_pack=1, reuse="parent"),
    )
    work = look_up(NOBODY, run, ALIKE, {})
    assert len(work.to_run) + sum(map(len, work.twins.values())) == 3
    return len(work.to_run)


@pytest.mark.parametrize(
    ("capability", "params", "runs"),
    [
        (llm.capability, {}, 1),
        (agent.capability, {}, 1),
        (agent.capability, {"tools": ["sql", "search_text", "redact"]}, 1),
        (agent.capability, {"tools": ["sql", "fetch"]}, 3),
        (fetch.capability, {}, 3),
        (chat.capability, {}, 3),
        (redact.capability, {}, 3),
        (Stranger(True), {}, 1),
        (Stranger(False), {}, 3),
        (Stranger(True, effects="external"), {}, 3),
        (Stranger(lambda params: params.get("frozen", False)), {"frozen": True}, 1),
        (Stranger(lambda params: params.get("frozen", False)), {}, 3),
        (Stranger(lambda params: params["no such"]), {}, 3),
    ],
)
def test_equal_units_share_a_run_only_where_the_answer_does_not_change_with_time(
    capability: Any, params: dict[str, Any], runs: int
) -> None:
    assert runs_of(capability, **params) == runs


def test_a_tool_whose_own_answers_change_makes_the_agents_change() -> None:
    clock = replace(Stranger(False), queue="cpu")
    told_by_params = replace(Stranger(lambda params: True), queue="cpu")
    known: Any = {"clock": clock, "told": told_by_params, "steady": Stranger(True)}
    assert is_reusable_with(["sql", "steady"], known)
    assert not is_reusable_with(["sql", "clock"], known)
    assert not is_reusable_with(["told"], known), "the model chooses those parameters"


def test_silence_means_reusable_and_nonsense_is_told() -> None:
    assert is_reusable(object(), {})
    nonsense: Any = "sometimes"
    assert check_capability(replace(llm.capability, reusable=nonsense)) == [
        "`reusable` is 'sometimes' but must be True, False or a function of params"
    ]
