"""A capability of a stranger's package: installed, found, run, and its endings honoured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.stack import Stack

# what a row does -> outcome, code, attempt of its unit; everything is tried at most twice
ENDINGS: dict[str, tuple[str, str | None, int]] = {
    "fine": ("succeeded", None, 1),
    "flaky": ("succeeded", None, 2),
    "always_flaky": ("failed", "never_well", 2),
    "broken": ("failed", "beyond_repair", 1),
    "plain_error": ("failed", "capability_error", 1),
    "exit": ("failed", "capability_error", 1),
    "wrong_type": ("invalid", "schema_mismatch", 1),
    "extra_column": ("invalid", "schema_mismatch", 1),
    "no_row": ("invalid", "schema_mismatch", 1),
    "hang": ("failed", "timeout", 2),
}
IN_CHILD = {
    "kill_child": ("failed", "worker_lost", 2),
    "unsendable": ("failed", "capability_error", 1),
}
ON_LOOP = {"cancel": ("failed", "capability_error", 1)}


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], own_package: str) -> Stack:
    """Only the workers have the package."""
    made = make_module_stack(APWA_WORKER_PROCESSES="2", APWA_SHARD_SIZE="20")
    for role in ("api", "planner", "collector"):
        made.start(role)
    made.start("worker", PYTHONPATH=own_package)
    eventually(made.is_ready, within=90)
    eventually(lambda: made.scalar("SELECT count(*) FROM workers") == 1, within=90)
    return made


def plan(*capabilities: str, **more: Any) -> dict[str, Any]:
    """One stage per capability over `people`, and what became of them as the result."""
    stages = [
        {"name": name, "over": "people", "unit": {"rows": 1}, "capability": name, **more}
        for name in capabilities
    ]
    query = " UNION ALL ".join(f"SELECT count(*) AS n FROM {name}" for name in capabilities)  # noqa: S608
    counted = {"name": "counted", "over": list(capabilities), "unit": {"table": True}}
    stages.append({**counted, "capability": "sql", "params": {"query": query}})
    return {"version": 1, "stages": stages, "result": {"table": "counted"}}


def test_an_installed_package_is_all_it_takes(stack: Stack) -> None:
    rows = [{"id": number, "text": f"Word {number}"} for number in range(50)]
    document = plan("shout", "whisper", params={"field": "text"})
    job_id = stack.submit({"plan": document, "inputs": {"people": {"rows": rows, "key": "id"}}})
    job = stack.wait(job_id)
    assert job["status"] == "succeeded", job
    assert stack.results(job_id, "&stage=shout") == [
        {"id": row["id"], "shouted": f"WORD {row['id']}!"} for row in rows
    ]
    assert stack.results(job_id, "&stage=whisper") == [
        {"id": row["id"], "whispered": f"word {row['id']}"} for row in rows
    ]


def test_a_plan_is_linted_against_the_packages_manifest(stack: Stack) -> None:
    document = plan("shout", params={"field": 7})
    answer = stack.post("/v1/jobs", {"plan": document, "inputs": {"people": {"rows": [{"id": 1}]}}})
    assert (answer.status, answer.json["code"]) == (422, "plan_invalid")
    assert "/plan/stages/0/params/field" in {one["pointer"] for one in answer.json["errors"]}


def test_each_ending_of_a_capability_becomes_its_units_outcome_and_nobody_elses(
    stack: Stack,
) -> None:
    # given a child process and an event loop that meet everything a stranger's code may do
    does = [*ENDINGS, *IN_CHILD, *ON_LOOP]
    rows = [{"id": number, "do": do} for number, do in enumerate(does)]
    document = plan("moody", "moody_on_loop", retries=1, timeout_s=1)
    inputs = {"people": {"rows": rows, "key": "id"}}

    # when one job runs them all
    job = stack.wait(
        stack.submit({"plan": document, "inputs": inputs, "policy": {"min_success": 0.9}})
    )

    # then every unit has the outcome of its own row
    assert job["status"] == "partial", job
    assert endings(stack, job["id"], "moody", does) == {
        **ENDINGS, **IN_CHILD, "cancel": ("succeeded", None, 1),
    }  # fmt: skip
    assert endings(stack, job["id"], "moody_on_loop", does) == {
        **ENDINGS, **ON_LOOP,
        "kill_child": ("succeeded", None, 1), "unsendable": ("succeeded", None, 1),
    }  # fmt: skip
    said = {row["said"] for row in stack.results(job["id"], "&stage=moody")}
    assert said == {"fine at attempt 1", "flaky at attempt 2", "cancel at attempt 1"}

    # and the first try of the flaky one is on record
    flaky = stack.get(f"/v1/jobs/{job['id']}/subtasks?stage=moody&limit=100").json["items"][1]
    tries = [(one["number"], one["outcome"], one["code"]) for one in flaky["attempts"]]
    assert tries == [(1, "retry", "not_today"), (2, "succeeded", None)]


def test_the_limit_is_that_of_one_unit_not_of_those_that_share_a_call(
    stack: Stack, tmp_path: Path
) -> None:
    # given units that take most of their time each, and together far more
    rows = [{"id": number, "do": "nap", "nap_s": 0.4} for number in range(6)]
    params = {"journal": str(tmp_path / "journal")}
    document = plan("moody", params=params, timeout_s=1, retries=0)
    job_id = stack.submit({"plan": document, "inputs": {"people": {"rows": rows, "key": "id"}}})

    # then none is cut off, and none runs twice
    assert stack.wait(job_id)["status"] == "succeeded"
    assert sorted((tmp_path / "journal").read_text().split()) == [str(n) for n in range(6)]


def test_the_worker_still_works_after_all_that(stack: Stack) -> None:
    inputs = {"people": {"rows": [{"text": "still here"}]}}
    job_id = stack.submit({"plan": plan("shout", params={"field": "text"}), "inputs": inputs})
    assert stack.wait(job_id)["status"] == "succeeded"
    assert stack.results(job_id, "&stage=shout") == [{"shouted": "STILL HERE!"}]


def endings(
    stack: Stack, job_id: str, stage: str, does: list[str]
) -> dict[str, tuple[str, str | None, int]]:
    """Return what each row did -> (outcome, code, attempt)."""
    items = stack.get(f"/v1/jobs/{job_id}/subtasks?stage={stage}&limit=100").json["items"]
    return {
        does[one["unit"]]: (one["outcome"], (one["error"] or {}).get("code"), one["attempt"])
        for one in items
    }
