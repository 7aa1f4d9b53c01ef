from dataclasses import replace
from typing import Any

import pytest

from services.planner.engines.choice import choose_engine
from shared.llm.endpoints import Endpoint
from tests.unit.planner.planning_tasks import TEXT, task
from tests.unit.plans.plan_facts import TICKETS

MODEL = Endpoint("default", "http://127.0.0.1:1/v1", "fake")
LONG = replace(TEXT, mean_chars={"text": 500_000})
PLAN: dict[str, Any] = {"version": 1}


@pytest.mark.parametrize(
    ("given", "endpoint", "engine"),
    [
        ({"given_plan": PLAN}, MODEL, "given"),
        ({"given_plan": PLAN, "planning": "given"}, None, "given"),
        ({"tables": {}}, MODEL, "direct"),
        ({"tables": {"letter": TEXT}, "texts": ("letter",)}, MODEL, "direct"),
        ({"tables": {"a": TEXT, "b": TEXT}, "texts": ("a", "b")}, MODEL, "direct"),
        ({"tables": {"letter": TEXT}, "texts": ("letter",)}, None, "rules"),
        ({"tables": {"one_row": TEXT}}, MODEL, "model"),
        ({"tables": {"a": TEXT, "tickets": TICKETS}, "texts": ("a",)}, MODEL, "model"),
        ({"tables": {"book": LONG}, "texts": ("book",)}, MODEL, "model"),
        ({"tables": {}, "models": ()}, MODEL, "model"),
        ({"tables": {"tickets": TICKETS}}, None, "rules"),
        ({"tables": {"tickets": TICKETS}, "planning": "rules"}, MODEL, "rules"),
        ({"tables": {"tickets": TICKETS}, "planning": "model"}, None, "model"),
        ({"tables": {"tickets": TICKETS}, "planning": "direct"}, MODEL, "direct"),
        ({"given_plan": PLAN, "planning": "given", "round": 2}, MODEL, "model"),
    ],
)
def test_the_engine_follows_from_what_was_asked_and_what_is_there(
    given: dict[str, Any], endpoint: Endpoint | None, engine: str
) -> None:
    assert choose_engine(task(**given), endpoint) == engine
