"""What waits says why and, where it can be known, until when: stages and jobs, on real services."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.acceptance.model_work.test_model_work import llm_plan, stack_with, tickets
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

UNITS = 20


def stage_reason(stack: Stack, job_id: str, kind: str) -> dict[str, Any]:
    """Return the reason of the job's stage once it is of this kind."""

    def reason() -> dict[str, Any] | None:
        found = stack.get(f"/v1/jobs/{job_id}/stages").json["items"]
        reasons = [stage["status_reason"] or {} for stage in found]
        return next((one for one in reasons if one.get("kind") == kind), None)

    return eventually(reason, within=20)


def job_reason(stack: Stack, job_id: str) -> dict[str, Any]:
    return stack.get(f"/v1/jobs/{job_id}").json["status_reason"] or {}


def test_a_limit_a_back_off_and_a_pause_are_told_apart(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with FakeModel(tmp_path, rates={"429": 1.0}, retry_after_s=30) as model:
        stack = stack_with(make_stack, model)

        # given an endpoint that wants to be left alone for half a minute
        asked = datetime.now(UTC)
        limited = stack.submit({"plan": llm_plan(), "inputs": tickets(UNITS)})

        # then stage and job name the limit, the model, and a moment half a minute from the call
        told = stage_reason(stack, limited, "rate_limited")
        assert told.keys() == {"kind", "model", "until"}
        assert told["model"] == "fake"
        until = datetime.fromisoformat(told["until"])
        assert asked + timedelta(seconds=25) < until < datetime.now(UTC) + timedelta(seconds=61)
        assert job_reason(stack, limited)["kind"] == "rate_limited"
        assert stack.get(f"/v1/jobs/{limited}").json["status"] == "running"

        # and a job that is paused says by whom, and its stage with it
        assert stack.post(f"/v1/jobs/{limited}/pause").status == 202
        assert job_reason(stack, limited) == stage_reason(stack, limited, "paused")
        assert job_reason(stack, limited)["by"]
        assert stack.post(f"/v1/jobs/{limited}/cancel").status == 202


def test_an_endpoint_that_is_down_is_a_back_off_with_its_attempt(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with FakeModel(tmp_path, down=True) as model:
        stack = stack_with(make_stack, model, APWA_LOOP_CONCURRENCY="1")
        job_id = stack.submit({"plan": llm_plan(), "inputs": tickets(3)})

        told = stage_reason(stack, job_id, "backoff")

        assert told["code"] == "overloaded"
        assert told["attempt"] >= 1
        assert datetime.fromisoformat(told["until"]) > datetime(2000, 1, 1, tzinfo=UTC)
        model.change(down=False)
        assert stack.wait(job_id)["status"] == "succeeded"
