"""One sentence over many rows: every row is worked once, and the planner's prompt stays small."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.acceptance.planning import (
    has_status,
    plan_of,
    planning_calls,
    working_calls,
)
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

ROWS = 10_000
SMALL, LARGE = 1_000, 1_000_000


@pytest.fixture
def csv_of() -> Callable[[int], bytes]:
    """A function that makes a CSV of so many tickets, each with a marker of its own."""

    def made(rows: int) -> bytes:
        lines = [f"{no},{no % 3},marker-{no:07} nobody answers" for no in range(rows)]
        return "\n".join(["id,team,text", *lines, ""]).encode()

    return made


def upload(stack: Stack, data: bytes) -> str:
    answer = stack.request("POST", "/v1/tables", data, {"Content-Type": "text/csv"})
    assert answer.status in (200, 201), answer.body.decode()
    return str(answer.json["id"])


def test_a_sentence_over_ten_thousand_rows_calls_every_row_once(
    stack: Stack, model: FakeModel, csv_of: Callable[[int], bytes]
) -> None:
    # given a table, and nothing of a plan
    table = upload(stack, csv_of(ROWS))
    body = {"goal": "Say what each of the tickets is about.", "planning": "model"}

    # when
    job_id = stack.submit({**body, "inputs": {"tickets": {"table": table, "key": "id"}}})
    ended = stack.wait(job_id, within=120)

    # then a plan without an error was made of it
    assert ended["status"] == "succeeded", ended
    shown = plan_of(stack, job_id)
    assert shown["engine"] == "model"
    assert [one for one in shown["findings"] if one["severity"] == "error"] == []
    assert len(planning_calls(model)) == 1

    # and each row was in one call, alone, and is in the result once, as the plan's output wants
    seen = Counter(marker for call in working_calls(model) for marker in call.markers)
    assert seen == {f"marker-{no:07}": 1 for no in range(ROWS)}
    assert {len(call.markers) for call in working_calls(model)} == {1}
    results = stack.results(job_id)
    assert Counter(row["id"] for row in results) == Counter(range(ROWS))
    assert all(row["answer"].startswith(f"marker-{row['id']:07}") for row in results)
    assert ended["coverage"]["stages"]["answers"]["succeeded"] == ROWS


def test_a_million_rows_make_no_longer_prompt_than_a_thousand(
    stack: Stack, model: FakeModel, csv_of: Callable[[int], bytes]
) -> None:
    # given two tables alike but for their rows
    tokens = {}
    for rows in (SMALL, LARGE):
        model.forget()
        table = upload(stack, csv_of(rows))
        body = {"goal": "Say what the tickets are about.", "approval": "plan"}
        inputs = {"tickets": {"table": table, "key": "id"}}
        job_id = stack.submit({**body, "inputs": inputs})
        has_status(stack, job_id, "awaiting_approval")
        [call] = planning_calls(model)
        tokens[rows] = call.tokens_in
        assert stack.post(f"/v1/jobs/{job_id}/cancel").status in (200, 202)

    # then the request differs by the digits of a few numbers
    assert abs(tokens[LARGE] - tokens[SMALL]) <= 20
