"""An endpoint that refuses to plan pauses the job, and costs nothing; a fallback plans instead."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.planning import (
    TICKETS,
    alone,
    has_status,
    job,
    plan_of,
    planned,
    planning_calls,
    planning_stack,
)
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

GOAL = "Say what each of the tickets is about."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    """The workers' endpoint, and the fallback where there is one."""
    with FakeModel(tmp_path_factory.mktemp("model")) as running:
        yield running


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    """The planner's own endpoint."""
    with FakeModel(tmp_path_factory.mktemp("planner")) as running:
        yield running


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], model: FakeModel, planner: FakeModel) -> Stack:
    """A planner with an endpoint of its own, and nobody to take over."""
    endpoints = {"planner": {"base_url": planner.base_url, "model": "large"}}
    return planning_stack(make_module_stack, model, APWA_ENDPOINTS=json.dumps(endpoints))


@pytest.fixture(scope="module")
def with_fallback(
    make_module_stack: Callable[..., Stack], model: FakeModel, planner: FakeModel
) -> Stack:
    """The same with a fallback; the two name each other."""
    endpoints = {
        "planner": {"base_url": planner.base_url, "model": "large", "fallback": "spare"},
        "spare": {"base_url": model.base_url, "model": "small", "fallback": "planner"},
    }
    return planning_stack(make_module_stack, model, APWA_ENDPOINTS=json.dumps(endpoints))


@pytest.fixture(autouse=True)
def _alone(stack: Stack, model: FakeModel, planner: FakeModel) -> Iterator[None]:
    with alone(stack, model), alone(stack, planner):
        yield


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("401", "breaker"), ("403", "breaker"), ("404", "breaker"), ("400", "breaker"),
        ("redirect", "breaker"), ("quota", "provider_quota"),
    ],
)  # fmt: skip
def test_a_refused_planner_pauses_the_job_after_one_call_and_resume_goes_on(
    stack: Stack, planner: FakeModel, fault: str, kind: str
) -> None:
    # given an endpoint that will not get better by itself
    planner.change(next_faults=[fault])

    # when
    job_id = stack.submit(job(GOAL))

    # then the job waits for a person, and says for what
    paused = has_status(stack, job_id, "paused")
    assert paused["status_reason"]["kind"] == kind
    assert paused["status_reason"]["detail"]
    assert [call.fault for call in planning_calls(planner)] == [fault]

    # and goes on where it was
    assert stack.post(f"/v1/jobs/{job_id}/resume").status in (200, 202)
    ended = stack.wait(job_id)
    assert ended["status"] == "succeeded", ended
    assert len(planning_calls(planner)) == 2
    assert len(stack.results(job_id)) == len(TICKETS)


def test_a_later_round_that_is_refused_pauses_and_keeps_what_was_done(
    stack: Stack, planner: FakeModel
) -> None:
    # given an endpoint that plans a first round, and refuses the second
    planner.change(next_faults=["ok", "401"])
    job_id = stack.submit(job("Answer the tickets in several rounds."))
    paused = has_status(stack, job_id, "paused")
    assert (paused["status_reason"]["kind"], paused["status_reason"]["code"]) == (
        "breaker", "permanent",
    )  # fmt: skip
    assert len(stack.results(job_id, "&stage=answers")) == len(TICKETS)

    # when it is resumed, the round is planned
    assert stack.post(f"/v1/jobs/{job_id}/resume").status in (200, 202)
    assert stack.wait(job_id)["status"] == "succeeded"
    assert plan_of(stack, job_id)["plan"]["stages"][0]["name"] == "second_look"


def test_a_model_that_refuses_the_goal_fails_the_job(stack: Stack, planner: FakeModel) -> None:
    planner.change(next_faults=["filter_400"])
    ended = stack.wait(stack.submit(job(GOAL)))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "planner_refused")


def test_an_endpoint_that_is_down_is_left_alone_and_then_tried_again(
    stack: Stack, planner: FakeModel
) -> None:
    # given more jobs than it takes to find out that the planner's endpoint is down
    planner.change(down=True)
    jobs = [stack.submit(job(GOAL)) for _ in range(12)]

    # then they wait and say so
    def resting() -> bool:
        reasons = [stack.get(f"/v1/jobs/{job_id}").json["status_reason"] for job_id in jobs]
        return any("left alone" in (reason or {}).get("detail", "") for reason in reasons)

    eventually(resting, within=30)
    assert {stack.get(f"/v1/jobs/{job_id}").json["status"] for job_id in jobs} == {"planning"}

    # and all are planned once it is back
    planner.change(down=False)
    for job_id in jobs:
        assert planned(stack, job_id)["engine"] == "model"


def test_another_endpoint_plans_where_the_planners_is_down(
    with_fallback: Stack, model: FakeModel, planner: FakeModel
) -> None:
    # given enough jobs to find out that the planner's endpoint is down
    planner.change(down=True)
    jobs = [with_fallback.submit(job(GOAL)) for _ in range(8)]
    for job_id in jobs:
        assert with_fallback.wait(job_id)["status"] == "succeeded"
    assert {call.model for call in planning_calls(model)} == {"small"}
    assert len(planning_calls(model)) == len(jobs)
    tries = len(planning_calls(planner))
    assert 20 <= tries <= 3 * len(jobs)

    # when one more comes, it does not find out anew
    assert with_fallback.wait(with_fallback.submit(job(GOAL)))["status"] == "succeeded"
    assert len(planning_calls(planner)) <= tries + 1  # the one trial of a breaker
    assert len(planning_calls(model)) == len(jobs) + 1


def test_endpoints_that_stand_in_for_each_other_are_asked_once_each(
    with_fallback: Stack, model: FakeModel, planner: FakeModel
) -> None:
    model.change(rates={"401": 1.0})
    planner.change(rates={"404": 1.0})
    job_id = with_fallback.submit(job(GOAL))
    paused = has_status(with_fallback, job_id, "paused")
    assert paused["status_reason"]["kind"] == "breaker"
    assert len(planning_calls(model)) == 1
    assert len(planning_calls(planner)) <= 1  # none while it still counts as down
    with_fallback.post(f"/v1/jobs/{job_id}/cancel")
