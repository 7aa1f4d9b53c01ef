"""Model work through the public door, against the fake endpoint in a process of its own."""

from collections import Counter
from collections.abc import Callable
from typing import Any

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


def tickets(count: int, text: str = "The printer MARK-{0:05d} is out of paper.") -> dict[str, Any]:
    rows = [{"id": number, "text": text.format(number)} for number in range(count)]
    return {"tickets": {"rows": rows, "key": "id"}}


def stack_with(make_stack: Callable[..., Stack], model: FakeModel, **extra: str) -> Stack:
    """Start every service, two workers; leases are long, since calls are counted."""
    settings = {
        "OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-test", "APWA_MODEL": "fake",
        "APWA_LEASE_S": "15",
    }  # fmt: skip
    return make_stack(**settings | extra).start_all(workers=2)


def test_every_row_is_called_once_and_validates(stack: Stack, model: FakeModel) -> None:
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


def test_packed_rows_share_calls_and_keep_their_own_outcome(stack: Stack, model: FakeModel) -> None:
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


def test_replicas_are_combined_by_a_judge(stack: Stack, model: FakeModel) -> None:
    plan = llm_plan(replicas=3, agree="majority")
    job_id = stack.submit({"plan": plan, "inputs": tickets(5)})
    job = stack.wait(job_id)
    assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
    assert len(model.calls()) == 15
    assert {row["_agreement"] for row in stack.results(job_id)} == {1.0}
