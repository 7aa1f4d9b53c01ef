from typing import Any

from shared.plans.repeats import stages_hash
from tests.unit.planner.planning_tasks import task
from tests.unit.plans.plan_facts import TICKETS, document, llm_stage


def two_levels(first: str, second: str) -> dict[str, Any]:
    over_all = llm_stage(
        name=second, over=first, unit={"table": True},
        template={"instructions": "Sum up.", "input": "{{ rows }}"},
    )  # fmt: skip
    return document(llm_stage(name=first), over_all)


def later(*former: dict[str, Any], **more: Any) -> Any:
    hashes = tuple(stages_hash(one) for one in former)
    return task(tables={"tickets": TICKETS}, round=2, former=hashes, **more)


def test_the_same_stages_under_other_names_are_a_repetition() -> None:
    assert later(two_levels("a", "b")).repeats(two_levels("c", "d"))


def test_defaults_that_are_written_out_make_no_difference() -> None:
    spelt = llm_stage(name="x", replicas=1, keep=[], unit={"rows": 1, "overlap": 0})
    assert later(document(llm_stage())).repeats(document(spelt))


def test_other_work_is_no_repetition() -> None:
    before = document(llm_stage())
    assert not later(before).repeats(document(llm_stage(unit={"group_by": ["status"]})))
    assert not later(before).repeats(two_levels("a", "b"))


def test_any_former_round_counts() -> None:
    first, second = document(llm_stage()), two_levels("a", "b")
    assert later(first, second).repeats(first)


def test_a_later_round_without_a_stage_is_a_repetition() -> None:
    assert later().repeats({"version": 1, "stages": []})


def test_a_first_round_never_repeats() -> None:
    assert not task(tables={}).repeats({"stages": []})


def test_what_is_no_plan_can_be_asked_too() -> None:
    assert not later(document(llm_stage())).repeats({"stages": [7, {"name": 1}, "x"]})


def test_names_of_former_rounds_cannot_be_used_again() -> None:
    asked = later(taken=("labels", "old_list"))
    plan = document(llm_stage(name="labels"), tables={"old_list": [{"a": 1}]})
    checked = asked.check(plan)
    assert checked.plan is None
    found = {(one.code, one.pointer) for one in checked.findings}
    assert found >= {("duplicate_name", "/stages/0/name"), ("duplicate_name", "/tables/old_list")}


def test_a_document_that_is_no_plan_comes_back_with_findings() -> None:
    checked = task().check({"version": 2})
    assert checked.plan is None
    assert {one.pointer for one in checked.findings} >= {"/version", "/stages", "/result"}
