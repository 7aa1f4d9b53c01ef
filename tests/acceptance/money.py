"""What tests of money share: a priced endpoint, the journal's bill, the books."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from tests.eventually import eventually
from tests.fake_llm.journal import Call
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

LABEL = {
    "type": "object",
    "properties": {"label": {"type": "string"}},
    "required": ["label"],
}
IN_PRICE, OUT_PRICE = 3, 15  # dollars per million tokens, and so micro-dollars per token


def labels_plan(**stage: Any) -> dict[str, Any]:
    """One call per row of `tickets`."""
    labels = {
        "name": "labels",
        "over": "tickets",
        "unit": {"rows": 1},
        "capability": "llm",
        "template": {"instructions": "Label the ticket.", "input": "{{ text }}"},
        "output": LABEL,
        **stage,
    }
    return {"version": 1, "stages": [labels], "result": {"table": "labels"}}


def tickets(count: int) -> dict[str, Any]:
    """The inputs of a job: rows with a marker each."""
    rows = [
        {"id": number, "text": f"The printer MARK-{number:05d} is out of paper."}
        for number in range(count)
    ]
    return {"tickets": {"rows": rows, "key": "id"}}


def priced_stack(
    make_stack: Callable[..., Stack], model: FakeModel, *, dearer: int = 1, **extra: str
) -> Stack:
    """Two workers whose endpoint costs `dearer` times the prices above."""
    prices = {
        "input_usd_per_million": IN_PRICE * dearer,
        "output_usd_per_million": OUT_PRICE * dearer,
    }
    worker = {"base_url": model.base_url, "model": "fake", "prices": prices}
    return make_stack(APWA_ENDPOINTS=json.dumps({"worker": worker}), **extra).start_all(workers=2)


def bill_of(calls: Sequence[Call], *, dearer: int = 1) -> dict[str, int]:
    """What the endpoint's own journal says was answered, and what that costs.

    Every answer that was handed over counts as a call; tokens and money those that told usage.
    """
    answered = [call for call in calls if call.answered]
    told = [call for call in answered if call.usage_told]
    tokens_in = sum(call.tokens_in for call in told)
    tokens_out = sum(call.tokens_out for call in told)
    return {
        "calls": len(answered),
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "cost_microusd": (tokens_in * IN_PRICE + tokens_out * OUT_PRICE) * dearer,
    }


def books_of(stack: Stack, job_id: str) -> dict[str, int]:
    """The job's account in micro-dollars: spent, reserved, unknown."""
    names = ("spent", "reserved", "unknown")
    columns = ", ".join(f"{name}_microusd" for name in names)
    [row] = stack.rows(f"SELECT {columns} FROM spend_accounts WHERE id = %s", job_id)  # noqa: S608
    return dict(zip(names, row, strict=True))


def settled_books(stack: Stack, job_id: str) -> dict[str, int]:
    """The job's account once no process holds a slice any more."""

    def settled() -> dict[str, int] | None:
        found = books_of(stack, job_id)
        return found if found["reserved"] == 0 else None

    return eventually(settled, within=30)


def assert_accounts_add_up(stack: Stack, job_id: str) -> None:
    """Usage and unknown cost make up the account; so do the slices of all processes."""
    found, usage = settled_books(stack, job_id), stack.get(f"/v1/jobs/{job_id}").json["usage"]
    assert usage["cost_microusd"] + usage["cost_unknown_microusd"] == (
        found["spent"] + found["unknown"]
    ), (usage, found)
    slices = stack.rows(
        """SELECT sum(spent_microusd), sum(reserved_microusd), sum(unknown_microusd)
          FROM spend WHERE job_id = %s""",
        job_id,
    )
    assert [tuple(found.values())] == slices


def paused(stack: Stack, job_id: str, within: float = 60) -> dict[str, Any]:
    """The job once it is paused."""

    def look() -> dict[str, Any] | None:
        job: dict[str, Any] = stack.get(f"/v1/jobs/{job_id}").json
        assert job["finished_at"] is None, job
        return job if job["status"] == "paused" else None

    return eventually(look, within=within)


def raise_budget(stack: Stack, job_id: str, usd: float) -> None:
    """PATCH the budget and resume."""
    shown = stack.get(f"/v1/jobs/{job_id}")
    patched = stack.request(
        "PATCH", f"/v1/jobs/{job_id}", {"budget": {"usd": usd}}, {"If-Match": shown.headers["ETag"]}
    )
    assert patched.status == 200, patched.body
    assert stack.post(f"/v1/jobs/{job_id}/resume").status == 202
