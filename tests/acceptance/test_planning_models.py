"""A job may name the endpoint that plans it and the one that works on it."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.planning import (
    TICKETS,
    job,
    plan_of,
    planning_calls,
    planning_stack,
    working_calls,
)
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

GOAL = "Say what each of the tickets is about."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("model")) as running:
        yield running


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], model: FakeModel) -> Stack:
    endpoints = {name: {"base_url": model.base_url, "model": name} for name in ("large", "small")}
    return planning_stack(make_module_stack, model, APWA_ENDPOINTS=json.dumps(endpoints))


@pytest.mark.parametrize(
    ("models", "plans", "works"),
    [
        ({}, "fake", "fake"),
        ({"planner": "large"}, "large", "fake"),
        ({"worker": "small"}, "fake", "small"),
        ({"planner": "large", "worker": "small"}, "large", "small"),
    ],
)
def test_the_endpoints_a_job_names_do_its_work(
    stack: Stack, model: FakeModel, models: dict[str, str], plans: str, works: str
) -> None:
    model.forget()
    ended = stack.wait(stack.submit(job(GOAL, models=models)))
    assert ended["status"] == "succeeded", ended
    assert [call.model for call in planning_calls(model)] == [plans]
    assert [call.model for call in working_calls(model)] == [works] * len(TICKETS)
    [stage] = plan_of(stack, ended["id"])["plan"]["stages"]
    assert "model" not in stage["params"]  # the plan is as its planner wrote it
