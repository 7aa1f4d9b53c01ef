"""Model work through the public door, against the fake endpoint in a process of its own."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

OUTPUT = {
    "type": "object",
    "properties": {"label": {"type": "string"}},
    "required": ["label"],
}


def llm_plan(**stage: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "brief": "Labels are short.",
        "stages": [
            {
                "name": "labels",
                "over": "tickets",
                "unit": {"rows": 1},
                "capability": "llm",
                "template": {"instructions": "Label the ticket.", "input": "{{ text }}"},
                "output": OUTPUT,
                **stage,
            }
        ],
        "result": {"table": "labels"},
    }


def endpoints(**named: dict[str, Any]) -> str:
    """Return the setting of endpoints by name."""
    return json.dumps(named)


def tickets(count: int, text: str = "The printer MARK-{0:05d} is out of paper.") -> dict[str, Any]:
    rows = [{"id": number, "text": text.format(number)} for number in range(count)]
    return {"tickets": {"rows": rows, "key": "id"}}


def stack_with(make_stack: Callable[..., Stack], model: FakeModel, **extra: str) -> Stack:
    return make_stack(
        OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-test", APWA_MODEL="fake", **extra
    ).start_all(workers=2)


def test_every_row_is_called_once_and_validates(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with FakeModel(tmp_path) as model:
        stack = stack_with(make_stack, model)
        job_id = stack.submit({"plan": llm_plan(), "inputs": tickets(1000)})
        job = stack.wait(job_id)
        assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
        per_row = Counter(marker for call in model.calls() for marker in call.markers)
        assert per_row == {f"MARK-{number:05d}": 1 for number in range(1000)}
        assert all(len(call.markers) == 1 for call in model.calls())
        rows = stack.results(job_id)
        assert [row["id"] for row in rows] == list(range(1000))
        assert all(isinstance(row["label"], str) for row in rows)
        assert job["usage"]["calls"] == 1000
        assert job["usage"]["input_tokens"] == sum(call.tokens_in for call in model.calls())

        # the same work again, reused: no call
        model.forget()
        again = stack.submit(
            {"plan": llm_plan(), "inputs": tickets(1000), "policy": {"reuse": "project"}}
        )
        job = stack.wait(again)
        assert job["status"] == "succeeded", job
        assert model.calls() == []
        assert job["usage"]["cache_hits"] == 1000
        assert stack.results(again) == rows


def test_packed_rows_share_calls_and_keep_their_own_outcome(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with FakeModel(tmp_path) as model:
        stack = stack_with(make_stack, model)
        body = tickets(200)
        body["tickets"]["rows"][13]["text"] = "MARK-00013 FAULT:refusal"
        plan = llm_plan(params={"pack": 8})
        job_id = stack.submit(
            {"plan": plan, "inputs": body, "policy": {"max_pack": 8, "min_success": 0.9}}
        )
        job = stack.wait(job_id)
        assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
        assert job["coverage"]["stages"]["labels"]["failed"] == 1
        [failed] = stack.get(f"/v1/jobs/{job_id}/subtasks?outcome=refused").json["items"]
        assert failed["unit"] == 13
        calls = model.calls()
        assert len(calls) < 60, "25 packs of 8 and a handful to isolate the refused row"
        assert [row["id"] for row in stack.results(job_id)] == [
            number for number in range(200) if number != 13
        ]


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


def test_replicas_are_combined_by_a_judge(make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    with FakeModel(tmp_path) as model:
        stack = stack_with(make_stack, model)
        plan = llm_plan(replicas=3, agree="majority")
        job_id = stack.submit({"plan": plan, "inputs": tickets(5)})
        job = stack.wait(job_id)
        assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
        assert len(model.calls()) == 15
        assert {row["_agreement"] for row in stack.results(job_id)} == {1.0}


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
