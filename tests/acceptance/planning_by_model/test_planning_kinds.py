"""Goals for task parallelism, replication and hierarchies: what the plan and result look like."""

from collections import Counter
from typing import Any

from tests.acceptance.planning import (
    TICKETS,
    job,
    plan_of,
    planning_calls,
    working_calls,
)
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

MARKERS = [f"marker-{row['id']:04}" for row in TICKETS]


def run(stack: Stack, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a job to `succeeded`; return it, and its plan's document."""
    ended = stack.wait(stack.submit({**body, "planning": "model"}))
    assert ended["status"] == "succeeded", ended
    return ended, plan_of(stack, ended["id"])["plan"]


def units_of(job: dict[str, Any]) -> dict[str, int]:
    stages = job["coverage"]["stages"]
    assert all(stage["units"] == stage["succeeded"] for stage in stages.values())
    return {name: stage["units"] for name, stage in stages.items()}


def test_tasks_become_a_table_of_tasks_with_one_unit_each(stack: Stack, model: FakeModel) -> None:
    goal = "Task parallel: write a poem marker-1; write a letter marker-2; a report marker-3"
    ended, plan = run(stack, job(goal))

    # then each task is a row the planner wrote, and was one call that saw no other task
    tasks = [row["task"] for row in plan["tables"]["tasks"]]
    assert tasks == ["write a poem marker-1", "write a letter marker-2", "a report marker-3"]
    assert [stage["over"] for stage in plan["stages"]] == ["tasks"]
    assert units_of(ended) == {"done_tasks": 3}
    seen = sorted(call.markers for call in working_calls(model))
    assert seen == [["marker-1"], ["marker-2"], ["marker-3"]]
    results = stack.results(ended["id"])
    assert [row["task"] for row in results] == tasks
    for number, row in enumerate(results, start=1):
        assert row["result"].startswith(f"marker-{number}")


def test_several_tasks_over_one_table_become_stages_beside_each_other(
    stack: Stack, model: FakeModel
) -> None:
    goal = "Task parallel over tickets: find the tone; find the topic; find the wish."
    ended, plan = run(stack, job(goal))

    # then three stages read the input, none the other, and a fourth joins them
    *tasks, together = plan["stages"]
    assert [stage["over"] for stage in tasks] == ["tickets"] * 3
    instructions = [stage["template"]["instructions"] for stage in tasks]
    assert instructions == ["find the tone", "find the topic", "find the wish"]
    assert together["over"] == [stage["name"] for stage in tasks]
    assert units_of(ended) == {"task_1": 30, "task_2": 30, "task_3": 30, "together": 1}

    # and each row was in one call of each task
    seen = Counter(marker for call in working_calls(model) for marker in call.markers)
    assert seen == dict.fromkeys(MARKERS, 3)
    results = stack.results(ended["id"])
    assert Counter(row["id"] for row in results) == Counter(range(30))
    for row in results:
        answers = [row[f"answer_{number}"] for number in (1, 2, 3)]
        assert all(answer.startswith(MARKERS[row["id"]]) for answer in answers)


def test_a_replication_asks_three_times_and_keeps_the_majority(
    stack: Stack, model: FakeModel
) -> None:
    ended, plan = run(stack, job("By replication, judge each of the tickets."))
    [stage] = plan["stages"]
    assert (stage["unit"], stage["replicas"], stage["agree"]) == (
        {"rows": 1, "overlap": 0}, 3, "majority",
    )  # fmt: skip
    assert units_of(ended) == {"votes": 30}
    seen = Counter(marker for call in working_calls(model) for marker in call.markers)
    assert seen == dict.fromkeys(MARKERS, 3)
    results = stack.results(ended["id"])
    assert Counter(row["id"] for row in results) == Counter(range(30))
    assert {row["label"] for row in results} <= {"yes", "no"}
    assert {row["_agreement"] for row in results} == {1.0}  # the fake answers a row alike


def test_rows_are_summed_up_in_three_levels(stack: Stack, model: FakeModel) -> None:
    ended, plan = run(stack, job("Build a hierarchy of summaries over the tickets."))
    assert [(stage["name"], stage["over"]) for stage in plan["stages"]] == [
        ("row_summaries", "tickets"), ("group_summaries", "row_summaries"),
        ("whole_summary", "group_summaries"),
    ]  # fmt: skip
    assert units_of(ended) == {"row_summaries": 30, "group_summaries": 3, "whole_summary": 1}

    # then the top was made of the groups, each made of its own rows
    seen = Counter(len(call.markers) for call in working_calls(model))
    assert seen == {1: 30, 10: 3, 30: 1}
    [top] = stack.results(ended["id"])
    assert sorted(top["summary"].split()[:30]) == MARKERS


def book() -> str:
    """Three chapters of two, three and four sections, each section with its own marker."""
    lines = ["A book of the sea.", ""]
    for chapter, sections in enumerate((2, 3, 4), start=1):
        lines.append(f"CHAPTER {chapter}")
        for section in range(1, sections + 1):
            lines += [
                f"SECTION {section}",
                f"It was marker-{chapter}{section} and the sea was calm.",
            ]
    return "\n".join(lines)


def test_a_text_is_split_and_summed_up_by_section_chapter_and_whole(
    stack: Stack, model: FakeModel
) -> None:
    goal = "Build a hierarchy of summaries over the book by CHAPTER and SECTION."
    ended, plan = run(stack, {"goal": goal, "inputs": {"book": {"text": book()}}})
    assert [(stage["name"], stage["capability"]) for stage in plan["stages"]] == [
        ("sections", "split"), ("section_summaries", "llm"), ("chapter_summaries", "llm"),
        ("whole_summary", "llm"),
    ]  # fmt: skip
    assert units_of(ended) == {
        "sections": 1, "section_summaries": 9, "chapter_summaries": 3, "whole_summary": 1,
    }  # fmt: skip

    # then each section was one call, each chapter one of its sections in order, then the whole
    sections = [
        f"marker-{no}{k}" for no, most in ((1, 2), (2, 3), (3, 4)) for k in range(1, most + 1)
    ]
    seen = [call.markers for call in working_calls(model)]
    assert sorted(one for one in seen if len(one) == 1) == [[marker] for marker in sections]
    assert sorted(one for one in seen if 1 < len(one) < 9) == [
        sections[:2], sections[2:5], sections[5:],
    ]  # fmt: skip
    assert [one for one in seen if len(one) == 9] == [sections]
    assert len(seen) == 9 + 3 + 1
    [top] = stack.results(ended["id"])
    assert top["summary"].split()[:9] == sections
    assert len(planning_calls(model)) == 1
