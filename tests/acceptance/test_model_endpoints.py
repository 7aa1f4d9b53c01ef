"""Model work where the endpoint is small, down, deaf or refuses the key."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.acceptance.model_work.test_model_work import llm_plan, stack_with, tickets
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import Stack


def test_a_group_longer_than_the_context_is_folded(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with FakeModel(tmp_path, context_tokens=4000) as model:
        stack = stack_with(
            make_stack,
            model,
            APWA_ENDPOINTS=endpoints(
                worker={"base_url": model.base_url, "model": "fake", "context_tokens": 4000}
            ),
        )
        body = tickets(120, "Row MARK-{0:05d}. " + "It was a long day at the office. " * 12)
        plan = llm_plan(unit={"table": True}, template={
            "instructions": "Name what all rows are about.", "input": "{{ rows.text }}",
        })  # fmt: skip
        job = stack.wait(stack.submit({"plan": plan, "inputs": body}))
        assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
        seen = {marker for call in model.calls() for marker in call.markers}
        assert {f"MARK-{number:05d}" for number in range(120)} <= seen
        assert len(model.calls()) > 3
        assert job["result"]["rows"] == 1


def test_an_endpoint_that_goes_down_is_replaced_by_its_fallback(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with FakeModel(tmp_path / "one", down=True) as down, FakeModel(tmp_path / "two") as spare:
        stack = stack_with(
            make_stack,
            down,
            APWA_ENDPOINTS=endpoints(fallback={"base_url": spare.base_url, "model": "spare"}),
        )
        job = stack.wait(stack.submit({"plan": llm_plan(), "inputs": tickets(40)}), within=90)
        assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
        assert len([call for call in spare.calls() if call.answered]) == 40


def test_a_wrong_key_pauses_the_job_and_resume_goes_on(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with FakeModel(tmp_path, rates={"401": 1.0}) as model:
        stack = stack_with(make_stack, model, APWA_LOOP_CONCURRENCY="4")
        job_id = stack.submit({"plan": llm_plan(), "inputs": tickets(300)})
        job = eventually(lambda: paused(stack, job_id), within=30)
        assert job["status_reason"]["kind"] == "breaker"
        most = 2 * (10 + 2 * 4)  # of each process: ten answers, what was in flight, what just began
        assert len(model.calls()) <= most
        model.change(rates={})
        assert stack.post(f"/v1/jobs/{job_id}/resume").status in (200, 202)
        job = stack.wait(job_id)
        assert job["status"] == "succeeded", job
        assert job["coverage"]["stages"]["labels"]["succeeded"] == 300


def test_an_endpoint_that_never_answers_is_replaced_by_its_fallback(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    hanging = FakeModel(tmp_path / "one", rates={"hang": 1.0})
    with hanging as silent, FakeModel(tmp_path / "two") as spare:
        stack = stack_with(
            make_stack,
            silent,
            APWA_ENDPOINTS=endpoints(fallback={"base_url": spare.base_url, "model": "spare"}),
        )
        plan = llm_plan(timeout_s=2, retries=5)
        job = stack.wait(stack.submit({"plan": plan, "inputs": tickets(80)}), within=90)
        assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
        assert len([call for call in spare.calls() if call.answered]) == 80


def paused(stack: Stack, job_id: str) -> dict[str, Any] | None:
    job: dict[str, Any] = stack.get(f"/v1/jobs/{job_id}").json
    return job if job["status"] == "paused" else None


def endpoints(**named: dict[str, Any]) -> str:
    """Return the setting of endpoints by name."""
    return json.dumps(named)
