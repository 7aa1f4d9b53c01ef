"""The shape of the body of POST /v1/jobs."""

from typing import Any

import pytest
from marshmallow import ValidationError

from services.api.schemas.job_request import JobRequestSchema
from services.api.schemas.strict import problems_of_messages


def load(**body: Any) -> dict[str, Any]:
    return dict(JobRequestSchema().load(body))


def pointers(body: Any) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        JobRequestSchema().load(body)
    return [problem.pointer for problem in problems_of_messages(raised.value.messages)]


def test_a_goal_is_enough_and_the_rest_has_defaults() -> None:
    data = load(goal="Redact")
    assert data["planning"] == "auto"
    assert data["inputs"] == data["labels"] == {}
    assert data["policy"] == {
        "min_success": 1.0, "on_shortfall": "partial", "deadline_s": None, "max_rounds": 3,
        "max_pack": 1, "reuse": "parent", "planner_sees": "samples",
        "budget": {"usd": None, "tokens": None, "seconds": None}, "on_budget": "pause",
        "priority": 5,
    }  # fmt: skip


def test_every_field_of_the_interface_may_be_null_or_empty_where_it_is_optional() -> None:
    data = load(
        goal=None, plan={"version": 1}, inputs=None, output=None, workflow=None, pilot=None,
        labels=None, webhook=None, models={"planner": None, "worker": None}, approval="none",
        policy={"deadline_s": None, "budget": {"usd": None}},
    )  # fmt: skip
    assert data["inputs"] == {}


@pytest.mark.parametrize("name", ["a", "tickets", "t_2", "a" * 63])
def test_names_a_plan_could_use_are_input_names(name: str) -> None:
    assert name in load(goal="x", inputs={name: {"rows": []}})["inputs"]


@pytest.mark.parametrize("name", ["", "A", "2a", "a-b", "a b", "ä", "rows", "a" * 64, "a/b~c"])
def test_other_names_are_refused_with_an_escaped_pointer(name: str) -> None:
    escaped = name.replace("~", "~0").replace("/", "~1")
    assert pointers({"goal": "x", "inputs": {name: {"rows": []}}}) == [f"/inputs/{escaped}"]


def test_all_bad_fields_are_told_at_once() -> None:
    body = {"goal": 1, "policy": {"priority": 0, "min_success": "1"}, "labels": [], "x": 1}
    assert sorted(pointers(body)) == [
        "/goal", "/labels", "/policy/min_success", "/policy/priority", "/x",
    ]  # fmt: skip


@pytest.mark.parametrize("body", [None, [], "x", 1, True])
def test_a_body_that_is_no_object_is_refused_at_the_root(body: Any) -> None:
    assert pointers(body) == [""]


def test_odd_numbers_in_an_output_schema_point_to_their_place() -> None:
    body = {"goal": "x", "output": {"properties": {"a/b": {"maximum": 2**70}}}}
    assert pointers(body) == ["/output/properties/a~1b/maximum"]
