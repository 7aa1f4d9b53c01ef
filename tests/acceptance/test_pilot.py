"""A few units run first and are kept; the rest runs after the yes, and only then."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.faults.accounts import assert_each_unit_once, job_of, moody_plan, people
from tests.stack import Stack

UNITS, PILOT = 500, 20


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], own_package: str) -> Stack:
    made = make_module_stack(APWA_SHARD_SIZE="30")
    made.environ["PYTHONPATH"] = own_package
    return made.start_all(workers=2)


def runs(journal: Path) -> Counter[int]:
    return Counter(int(line) for line in journal.read_text().split())


def submit(stack: Stack, journal: Path, do: str = "nap", **pilot: Any) -> str:
    body = job_of(people(UNITS, do), plan=two_stages(journal), pilot={"units": PILOT, **pilot})
    return stack.submit(body)


def two_stages(journal: Path) -> dict[str, Any]:
    plan = moody_plan({"journal": str(journal)})
    count = {
        "name": "count",
        "over": ["work"],
        "unit": {"table": True},
        "capability": "sql",
        "params": {"query": "SELECT count(*) AS n FROM work"},
    }
    return {**plan, "stages": [*plan["stages"], count], "result": {"table": "count"}}


def test_a_pilot_is_reported_and_its_units_are_not_run_again(stack: Stack, tmp_path: Path) -> None:
    # given a job with a pilot
    journal = tmp_path / "journal"
    job_id = submit(stack, journal)
    path = f"/v1/jobs/{job_id}"

    # when the pilot is over, the job waits, and no other unit was run
    eventually(lambda: stack.get(path).json["status"] == "awaiting_approval", within=60)
    assert len(runs(journal)) == PILOT
    report = stack.get(path).json["pilot"]["report"]
    assert (report["settled"], report["succeeded"], report["success"]) == (PILOT, PILOT, 1.0)
    assert [stage["units"] for stage in report["stages"]] == [UNITS, None]
    assert len(stack.results(job_id, "&stage=work")) == PILOT

    # then, approved, the rest is run, and each unit once
    tag = stack.get(f"{path}/plan").headers["ETag"]
    assert (
        stack.request("POST", f"{path}/plan/approve", headers={"If-Match": '"old"'}).status == 412
    )
    assert stack.request("POST", f"{path}/plan/approve", headers={"If-Match": tag}).status == 202
    job = stack.wait(job_id)
    assert_each_unit_once_of(stack, job, journal)


def test_a_pilot_within_its_limits_goes_on_by_itself(stack: Stack, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    job_id = submit(stack, journal, auto_approve={"min_success": 1.0, "max_usd": 0})
    job = stack.wait(job_id)
    assert job["approved"]["by"] == "pilot"
    assert_each_unit_once_of(stack, job, journal)


def test_a_pilot_that_fails_too_much_waits_for_a_person(stack: Stack, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    job_id = submit(stack, journal, "broken", auto_approve={"min_success": 0.5})
    path = f"/v1/jobs/{job_id}"
    eventually(lambda: stack.get(path).json["status"] == "awaiting_approval", within=60)
    assert stack.get(path).json["pilot"]["report"]["success"] == 0.0
    assert stack.post(f"{path}/plan/reject", {"reason": "None is well."}).status == 202
    job = stack.wait(job_id)
    assert (job["status"], job["error"]["code"]) == ("failed", "plan_rejected")
    stage = job["coverage"]["stages"]["work"]
    assert (stage["units"], stage["failed"], stage["skipped"]) == (UNITS, PILOT, UNITS - PILOT)


def test_a_pilot_of_more_units_than_there_are_runs_all_of_them(stack: Stack) -> None:
    body = job_of(people(7), pilot={"units": 50, "auto_approve": {"min_success": 1.0}})
    assert_each_unit_once(stack, stack.wait(stack.submit(body)), 7)


def assert_each_unit_once_of(stack: Stack, job: dict[str, Any], journal: Path) -> None:
    assert job["status"] == "succeeded", job
    assert stack.results(job["id"]) == [{"n": UNITS}]
    assert job["coverage"]["stages"]["work"]["succeeded"] == UNITS
    assert runs(journal) == Counter(range(UNITS))
