"""What a payload becomes: goal, inputs, labels and records, in one pass."""

from typing import Any

import pytest

from shared.domain.hook_mapping import Filled, MappingError, fill, placeholder_problem, records_of

ISSUE: dict[str, Any] = {
    "issue": {"number": 7, "title": "It {{ /secret }} breaks {0} {x}", "body": None},
    "repository": {"full_name": "ann/tool"},
    "secret": "never shown",
    "commits": [{"id": "a"}, {"id": "b"}],
}


def test_placeholders_are_filled_in_one_pass_and_text_stays_text() -> None:
    mapping = {"goal": "Triage {{ /issue/number }}: {{/issue/title}} {{ /issue/body }}."}
    assert fill(mapping, ISSUE).goal == "Triage 7: It {{ /secret }} breaks {0} {x} ."


def test_values_that_are_no_text_are_written_as_json() -> None:
    goal = fill({"goal": "{{ /commits }} {{ /repository }}"}, ISSUE).goal
    assert goal == '[{"id": "a"}, {"id": "b"}] {"full_name": "ann/tool"}'


def test_inputs_are_rows_objects_of_pointers_or_text() -> None:
    mapping = {
        "inputs": {
            "commits": {"rows": "/commits", "key": "id"},
            "repo": {"rows": "/repository"},
            "issue": {"object": {"n": "/issue/number", "who": "/issue/user/login"}},
            "body": {"text": "/issue/title"},
            "none": {"text": "/issue/body"},
        }
    }
    assert fill(mapping, ISSUE).inputs == {
        "commits": {"rows": [{"id": "a"}, {"id": "b"}], "key": "id"},
        "repo": {"rows": [{"full_name": "ann/tool"}]},
        "issue": {"rows": [{"n": 7, "who": None}]},
        "body": {"text": "It {{ /secret }} breaks {0} {x}"},
        "none": {"text": ""},
    }


def test_labels_that_lead_nowhere_are_left_out() -> None:
    labels = {"repo": "/repository/full_name", "n": "/issue/number", "x": "/x", "b": "/issue/body"}
    assert fill({"labels": labels}, ISSUE) == Filled(labels={"repo": "ann/tool", "n": "7"})


@pytest.mark.parametrize(
    ("mapping", "pointer"),
    [
        ({"goal": "Do {{ /missing }}"}, "/mapping/goal"),
        ({"goal": "{{ /issue/body }}"}, "/mapping/goal"),
        ({"inputs": {"a": {"rows": "/missing"}}}, "/mapping/inputs/a"),
        ({"inputs": {"a": {"rows": "/issue/title"}}}, "/mapping/inputs/a"),
        ({"inputs": {"a": {"rows": "/issue/body"}}}, "/mapping/inputs/a"),
        ({"inputs": {"a": {"text": "/missing"}}}, "/mapping/inputs/a"),
        ({"labels": {"a": "/long"}}, "/mapping/labels/a"),
        ({"goal": "{{ /longer }}"}, "/mapping/goal"),
    ],
)
def test_what_the_payload_lacks_is_said_with_its_place(
    mapping: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(MappingError) as caught:
        fill(mapping, {**ISSUE, "long": "x" * 1_001, "longer": "x" * 20_001})
    assert caught.value.pointer == pointer


def test_records_are_rows_or_one_object() -> None:
    assert records_of({"rows": "/commits"}, ISSUE) == [{"id": "a"}, {"id": "b"}]
    assert records_of({"object": {"id": "/issue/number"}}, ISSUE) == [{"id": 7}]
    with pytest.raises(MappingError):
        records_of({"rows": "/issue/number"}, ISSUE)


def test_placeholders_that_are_no_pointers_are_refused() -> None:
    assert placeholder_problem("{{ /a }} and {{/b~1c/0}} and {x} {}") is None
    for bad in ("{{ title }}", "{{}}", "{{ a/b }}", "{{ /a~ }}"):
        assert placeholder_problem(bad)
