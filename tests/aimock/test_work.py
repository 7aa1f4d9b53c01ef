"""Rows through `llm` and a text by the direct route, against aimock."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.aimock.fixtures import fails, says
from tests.aimock.jobs import OUTPUT, answer, marker, one_stage, tickets
from tests.aimock.server import Aimock
from tests.stack import Stack

ROWS = 300


@pytest.mark.parametrize("client", ["package", "plain"])
def test_every_row_is_asked_once_in_strict_form_and_gets_its_own_answer(
    make_mocked: Callable[..., Stack], aimock: Aimock, client: str
) -> None:
    # given an answer for each row, for requests only that ask for a JSON schema
    aimock.add(
        *(
            says(answer(number), userMessage=marker(number), responseFormat="json_schema")
            for number in range(ROWS)
        )
    )

    # when
    stack = make_mocked(APWA_MODEL_CLIENT=client)
    job = stack.wait(stack.submit({"plan": one_stage(), "inputs": tickets(ROWS)}))

    # then
    assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
    assert stack.results(job["id"]) == [{"id": number, **answer(number)} for number in range(ROWS)]
    seen = aimock.seen()
    assert Counter(one.status for one in seen) == {200: ROWS}
    assert Counter(one.user for one in seen) == {
        f"<data>\nThe printer {marker(number)} is out of paper.\n</data>": 1
        for number in range(ROWS)
    }
    asked = [one.body["response_format"]["json_schema"] for one in seen]
    assert all(one["strict"] for one in asked)
    assert all(one["schema"] == {**OUTPUT, "additionalProperties": False} for one in asked)
    assert {one.headers["user-agent"] for one in seen} == {"apwa"}
    assert job["usage"]["calls"] == ROWS


def test_an_answer_that_does_not_fit_is_shown_to_the_model_and_repaired(
    stack: Stack, aimock: Aimock
) -> None:
    # given a first answer of another shape, and a good one to whoever says what was wrong
    aimock.add(
        says({"label": "no score"}, userMessage=marker(0)),
        says(answer(0), userMessage="That answer cannot be used"),
    )

    # when
    job = stack.wait(stack.submit({"plan": one_stage(), "inputs": tickets(1)}))

    # then
    assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
    assert stack.results(job["id"]) == [{"id": 0, **answer(0)}]
    first, second = aimock.seen()
    assert second.body["messages"][: len(first.body["messages"])] == first.body["messages"]
    assert "score" in second.user


def test_an_endpoint_that_refuses_schemas_is_asked_in_the_next_form(
    stack: Stack, aimock: Aimock
) -> None:
    # given a server that has JSON mode and no schemas
    refusal = {"message": "response_format of type json_schema is not supported by this model"}
    aimock.add(
        fails(400, refusal, responseFormat="json_schema"),
        *(
            says(answer(number), userMessage=marker(number), responseFormat="json_object")
            for number in range(20)
        ),
    )

    # when
    job = stack.wait(stack.submit({"plan": one_stage(), "inputs": tickets(20)}))

    # then every row has its answer, and the schema stood in the prompt of those that got it
    assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
    assert stack.results(job["id"]) == [{"id": number, **answer(number)} for number in range(20)]
    answered = [one for one in aimock.seen() if one.status == 200]
    assert len(answered) == 20
    assert all('"score"' in one.system for one in answered)


def test_a_text_goal_is_one_call(stack: Stack, aimock: Aimock) -> None:
    aimock.add(says({"answer": "On Friday."}, userMessage="moved to Friday"))
    inputs = {"letter": {"text": "Dear all, the meeting is moved to Friday."}}
    job = stack.wait(stack.submit({"goal": "When is the meeting?", "inputs": inputs}))
    assert job["status"] == "succeeded", job
    assert stack.results(job["id"]) == [{"answer": "On Friday."}]
    assert [one.status for one in aimock.seen()] == [200]


def test_equal_work_is_reused_without_a_call(stack: Stack, aimock: Aimock) -> None:
    aimock.add(*(says(answer(number), userMessage=marker(number)) for number in range(20)))
    body = {"plan": one_stage(), "inputs": tickets(20), "policy": {"reuse": "project"}}
    first = stack.wait(stack.submit(body))
    aimock.reset()
    second = stack.wait(stack.submit(body))
    assert (first["status"], second["status"]) == ("succeeded", "succeeded")
    assert aimock.seen() == []
    assert stack.results(second["id"]) == stack.results(first["id"])
