"""What the tests of planning by a model share: jobs, plans and the endpoint's calls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.eventually import eventually
from tests.fake_llm.journal import Call
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

TICKETS = [
    {"id": number, "status": ("open", "closed", "waiting")[number % 3],
     "text": f"marker-{number:04} the parcel did not arrive and nobody answers the telephone"}
    for number in range(30)
]  # fmt: skip

TOOLS = (
    'Use TOOL:describe={"table":"tickets"} and TOOL:sample={"table":"tickets","n":2} and '
    'TOOL:query={"sql":"SELECT text FROM tickets LIMIT 1"} and answer for the tickets.'
)


def planning_stack(make_stack: Callable[..., Stack], model: FakeModel, **extra: str) -> Stack:
    """Start every service, one worker, with the endpoint as its only model."""
    made = make_stack(OPENAI_BASE_URL=model.base_url, APWA_MODEL="fake", **extra)
    return made.start_all(workers=1)


@contextmanager
def alone(stack: Stack, model: FakeModel) -> Iterator[None]:
    """Let a test have the endpoint to itself, as it usually behaves."""
    model.forget()
    yield
    busy = "SELECT count(*) FROM jobs WHERE finished_at IS NULL AND status <> 'paused'"
    eventually(lambda: stack.scalar(busy) == 0, within=60)
    eventually(lambda: model.stats()["in_flight"] == 0, within=30)
    model.change(
        next_faults=[], rates={}, latency_ms={}, down=False,
        abilities={"tools": True, "json_object": True},
    )  # fmt: skip


def job(goal: str, rows: list[dict[str, Any]] = TICKETS, **more: Any) -> dict[str, Any]:
    return {"goal": goal, "inputs": {"tickets": {"rows": rows, "key": "id"}}, **more}


def planning_calls(model: FakeModel) -> list[Call]:
    return [call for call in model.calls() if call.kind == "plan"]


def working_calls(model: FakeModel) -> list[Call]:
    return [call for call in model.calls() if call.kind != "plan"]


def plan_of(stack: Stack, job_id: str) -> dict[str, Any]:
    answer = stack.get(f"/v1/jobs/{job_id}/plan")
    assert answer.status == 200, answer.body.decode()
    found: dict[str, Any] = answer.json
    return found


def planned(stack: Stack, job_id: str) -> dict[str, Any]:
    """Return the plan once it is visible."""
    eventually(lambda: stack.get(f"/v1/jobs/{job_id}/plan").status == 200, within=30)
    return plan_of(stack, job_id)


def has_status(stack: Stack, job_id: str, status: str, within: float = 30.0) -> dict[str, Any]:
    """Return the job once it has this status."""

    def there() -> dict[str, Any] | None:
        found: dict[str, Any] = stack.get(f"/v1/jobs/{job_id}").json
        return found if found["status"] == status else None

    return eventually(there, within=within)
