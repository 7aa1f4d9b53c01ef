"""The fake planner's second round: nothing but what the prompt tells of the first decides it.

``coverage`` says whether anything is missing, the largest of ``failures`` what to call the work
that makes up for it. A prompt that loses either gets a plan that fails the linter.
"""

from typing import Any

from tests.fake_llm.planner_facts import Facts, Table
from tests.fake_llm.planner_stages import output_of, plan_of, row_stage, sql_stage


def next_round(facts: Facts) -> dict[str, Any]:
    """Return the plan for what the last round left undone, or a second look if it did all."""
    last = facts.rounds[-1]
    former = facts.made(last["result"])
    failed = last.get("coverage", {}).get("failed")
    clusters = sorted(last.get("failures", []), key=lambda item: -item["count"])
    if failed is None or (failed and not clusters):
        return _second_look(facts, Table("what_the_prompt_lost_of_the_round", 0, []))
    if not failed:
        return _second_look(facts, former)
    return _made_up_for(facts, former, int(failed), clusters[0])


def _second_look(facts: Facts, former: Table) -> dict[str, Any]:
    stage = row_stage("second_look", former.name, facts, former)
    stage["output"] = output_of(**{former.free_name("second_answer"): {"type": "string"}})
    return plan_of([stage], "second_look")


def _made_up_for(
    facts: Facts, former: Table, failed: int, cluster: dict[str, Any]
) -> dict[str, Any]:
    """Return: the rows that are missing, the work on them once more, old and new together."""
    source = facts.table()
    key, answer = source.key, former.longest_text()
    there = f"FROM {source.name} s LEFT JOIN {former.name} f ON f.{key} = s.{key}"
    missing = f"SELECT s.* {there} WHERE f.{key} IS NULL"
    again = row_stage(f"after_{cluster['code']}", "missing", facts, source)
    again["template"]["instructions"] = (
        f"{failed} rows failed, {cluster['count']} of them as {cluster['code']}. Answer again."
    )
    again |= {"keep": [key], "output": output_of(**{str(answer): {"type": "string"}})}
    columns = f"SELECT {key}, {answer}"
    answers = [f"{columns} FROM {name}" for name in (former.name, again["name"])]
    stages = [
        sql_stage("missing", [source.name, former.name], missing, facts),
        again,
        sql_stage("all_answers", [former.name, again["name"]], " UNION ALL ".join(answers), facts),
    ]
    return plan_of(stages, "all_answers")
