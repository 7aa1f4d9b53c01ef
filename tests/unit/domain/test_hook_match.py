"""Conditions of triggers on headers and payload, and the pointers they use."""

from typing import Any

import pytest

from shared.domain.hook_match import unmet
from shared.domain.json_path import MISSING, is_pointer, look_up

PAYLOAD: dict[str, Any] = {
    "action": "opened",
    "n": 1,
    "flag": True,
    "none": None,
    "a/b": {"~": ["x", {"deep": 1}]},
    "": "empty name",
}
HEADERS = {"x-github-event": "issues"}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", PAYLOAD),
        ("/action", "opened"),
        ("/a~1b/~0/1/deep", 1),
        ("/", "empty name"),
        ("/none", None),
        ("/nothing", MISSING),
        ("/action/0", MISSING),
        ("/a~1b/~0/2", MISSING),
        ("/a~1b/~0/01", MISSING),
        ("/a~1b/~0/-1", MISSING),
        ("/a~1b/~0/-", MISSING),
    ],
)
def test_a_pointer_leads_where_its_rfc_says(pointer: str, value: Any) -> None:
    assert look_up(PAYLOAD, pointer) == value


def test_what_is_no_pointer_is_known() -> None:
    assert all(is_pointer(text) for text in ("", "/", "/a", "/a~1b/~0"))
    assert not any(is_pointer(text) for text in ("a", "/a~2", "/~", "a/b"))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"header": "X-GitHub-Event", "equals": "issues"}, True),
        ({"header": "x-github-event", "equals": "Issues"}, False),
        ({"header": "X-Other", "exists": False}, True),
        ({"header": "X-Other", "equals": "issues"}, False),
        ({"pointer": "/action", "in": ["opened", "reopened"]}, True),
        ({"pointer": "/action", "in": ["closed"]}, False),
        ({"pointer": "/none", "exists": True}, True),
        ({"pointer": "/none", "equals": None}, True),
        ({"pointer": "/nothing", "equals": None}, False),
        ({"pointer": "/nothing", "exists": False}, True),
        ({"pointer": "/n", "equals": 1.0}, True),
        ({"pointer": "/n", "equals": True}, False),
        ({"pointer": "/flag", "equals": 1}, False),
        ({"pointer": "/flag", "equals": True}, True),
        ({"pointer": "/n", "equals": "1"}, False),
        ({"pointer": "/a~1b/~0", "equals": ["x", {"deep": True}]}, False),
        ({"pointer": "/a~1b/~0", "equals": ["x", {"deep": 1}]}, True),
    ],
)
def test_a_condition_compares_as_json_does(condition: dict[str, Any], holds: bool) -> None:
    assert unmet([condition], HEADERS, PAYLOAD) == ([] if holds else [0])


def test_all_conditions_must_hold_and_those_that_do_not_are_named() -> None:
    conditions = [
        {"pointer": "/action", "equals": "opened"},
        {"pointer": "/n", "equals": 2},
        {"header": "X-None", "exists": True},
    ]
    assert unmet(conditions, HEADERS, PAYLOAD) == [1, 2]
    assert unmet([], {}, None) == []
