"""A process killed at each seam of the code, at the very moment: one job, each unit once."""

import http.client
import signal

import pytest

from shared.seams import SEAMS
from tests.eventually import eventually
from tests.faults.accounts import assert_each_unit_once, job_of, people
from tests.faults.test_kills import EXTRACT
from tests.stack import Stack

pytestmark = pytest.mark.long

UNITS = 600
PASSES = {  # so many times the seam is passed before the process dies there
    "planner_before_commit": 1,
    "planner_mid_cut": 2,
    "planner_before_publish": 3,
    "worker_after_call": 5,
    "worker_before_commit": 3,
    "worker_after_commit": 3,
    "collector_mid_seal": 2,
    "collector_before_commit": 1,
}
OF_THE_API = "api_after_commit"


def test_a_process_is_killed_at_every_seam_there_is() -> None:
    assert {*PASSES, OF_THE_API} == SEAMS


@pytest.mark.parametrize("seam", PASSES)
def test_a_process_killed_at_a_seam_costs_nothing_but_time(stack: Stack, seam: str) -> None:
    # given the only process of its kind, which dies there
    role = seam.partition("_")[0]
    while stack.processes[role]:
        stack.kill(role)
    faults = {"APWA_MODE": "development", "APWA_FAULTS": f"{seam}:kill@{PASSES[seam]}"}
    stack.start(role, APWA_CUT_BATCH_SHARDS="10", **faults)
    [doomed] = stack.processes[role]

    # when a job comes by, and another process takes over
    job_id = stack.submit(job_of(people(UNITS), plan=EXTRACT))
    eventually(lambda: doomed.poll() is not None, within=30)
    assert doomed.returncode == -signal.SIGKILL
    stack.processes[role] = []
    stack.start(role)

    # then nothing is lost or doubled
    assert_each_unit_once(stack, stack.wait(job_id), UNITS)


def test_an_api_killed_between_commit_and_answer_has_made_one_job(stack: Stack) -> None:
    # given an api that dies once a job is stored
    replace_api(stack, APWA_MODE="development", APWA_FAULTS=f"{OF_THE_API}:kill")
    before, key = stack.scalar("SELECT count(*) FROM jobs"), {"Idempotency-Key": "seam"}
    body = job_of(people(20), plan=EXTRACT)
    with pytest.raises((OSError, http.client.HTTPException)):
        stack.post("/v1/jobs", body, **key)

    # when the client asks the next one, which gunicorn starts, again
    eventually(stack.is_ready, within=90)
    answer = stack.post("/v1/jobs", body, **key)
    replace_api(stack)

    # then it is told of the job that was made
    assert answer.status == 202
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert stack.scalar("SELECT count(*) FROM jobs") == before + 1
    assert_each_unit_once(stack, stack.wait(answer.json["id"]), 20)


def replace_api(stack: Stack, **extra: str) -> None:
    stack.kill("api")
    eventually(lambda: not stack.is_ready(), within=30)  # gunicorn's worker outlives it a moment
    stack.start("api", **extra)
    eventually(stack.is_ready, within=90)
