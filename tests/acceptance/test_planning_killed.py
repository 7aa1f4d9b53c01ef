"""A planner killed at any moment of planning: one plan, and no call that was answered and kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.acceptance.planning import (
    TOOLS,
    alone,
    job,
    plan_of,
    planned,
    planning_calls,
    planning_stack,
)
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import Stack


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("model")) as running:
        yield running


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], model: FakeModel) -> Stack:
    return planning_stack(make_module_stack, model)


@pytest.fixture(autouse=True)
def _alone(stack: Stack, model: FakeModel) -> Iterator[None]:
    with alone(stack, model):
        yield


@contextmanager
def nobody_writes(stack: Stack, table: str) -> Iterator[None]:
    """Hold up whoever writes into a table, so that a process can be killed in the middle of it."""
    with psycopg.connect(stack.database_url) as connection:
        connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")  # type: ignore[call-overload]
        yield
        connection.rollback()


def is_held_up(stack: Stack, table: str) -> bool:
    waiting = """SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
    return bool(stack.scalar(waiting, table))


def kill_the_planner_writing(stack: Stack, table: str) -> None:
    """Wait until the planner is about to write into a table, and kill it there."""
    with nobody_writes(stack, table):
        eventually(lambda: is_held_up(stack, table), within=30)
        stack.kill("planner")
    eventually(lambda: not is_held_up(stack, table), within=30)
    stack.start("planner")


def test_a_planner_killed_at_every_step_leaves_one_plan_and_asks_again_only_what_it_lost(
    stack: Stack, model: FakeModel
) -> None:
    # given a planner killed while it waits for the model
    model.change(next_faults=["hang"])
    job_id = stack.submit(job("Say what each of the tickets is about.", approval="plan"))
    eventually(lambda: model.stats()["in_flight"] == 1, within=30)
    stack.kill("planner")
    stack.start("planner")

    # and the next one once the answer is there, but not kept
    kill_the_planner_writing(stack, "planning_calls")
    assert stack.scalar("SELECT count(*) FROM planning_calls WHERE job_id = %s", job_id) == 0

    # and the next one while it writes the plan
    kill_the_planner_writing(stack, "plans")
    assert stack.scalar("SELECT count(*) FROM planning_calls WHERE job_id = %s", job_id) == 1

    # and the next one when the plan is visible
    shown = planned(stack, job_id)
    stack.kill("planner")
    stack.start("planner")
    tag = stack.get(f"/v1/jobs/{job_id}/plan").headers["ETag"]
    approved = stack.request("POST", f"/v1/jobs/{job_id}/plan/approve", headers={"If-Match": tag})
    assert approved.status == 202
    assert stack.wait(job_id)["status"] == "succeeded"

    # then it is one plan, the one that was shown, and two calls were lost by four kills
    assert plan_of(stack, job_id) == shown
    assert stack.scalar("SELECT count(*) FROM plans WHERE job_id = %s", job_id) == 1
    assert [call.answered for call in planning_calls(model)] == [False, True, True]


def test_a_killed_planner_repeats_at_most_the_call_in_flight(
    stack: Stack, model: FakeModel
) -> None:
    # given a planner in the middle of its third call
    model.change(latency_ms={"fixed": 700})
    job_id = stack.submit(job(TOOLS))
    kept = "SELECT count(*) FROM planning_calls WHERE job_id = %s"
    eventually(lambda: stack.scalar(kept, job_id) == 2, within=30)

    # when it is killed, and another one takes over
    stack.kill("planner")
    stack.start("planner")

    # then what was answered before was not asked again
    assert planned(stack, job_id)["engine"] == "model"
    assert 4 <= len(planning_calls(model)) <= 5
    assert stack.scalar("SELECT count(*) FROM plans WHERE job_id = %s", job_id) == 1
    assert stack.wait(job_id)["status"] == "succeeded"


def test_a_planner_that_is_told_to_stop_hands_its_planning_over_at_once(
    stack: Stack, model: FakeModel
) -> None:
    # given a planner whose call hangs
    model.change(next_faults=["hang"])
    job_id = stack.submit(job("Say what each of the tickets is about."))
    eventually(lambda: model.stats()["in_flight"] == 1, within=30)

    # when it is told to stop
    process = stack.processes["planner"].pop()
    process.terminate()
    assert process.wait(20) == 0

    # then nobody holds the job, and the next planner plans it
    assert stack.scalar("SELECT planner_id FROM jobs WHERE id = %s", job_id) is None
    stack.start("planner")
    assert planned(stack, job_id)["engine"] == "model"
