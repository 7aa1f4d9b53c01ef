"""Unexpected errors are counted while they go on, and forgotten by a turn that got through."""

import pytest
from sqlalchemy import Engine

from services.planner.plan_job import Planner, plan_job
from shared.actions.note_trouble import MOST_TROUBLE, Turn, forget_trouble, note_trouble
from shared.database import job_control
from shared.settings import Settings
from tests.integration.running_job import RunningJob, running_job

SHOWN = "SELECT trouble, status, finish_as, status_reason, xmin::text AS written FROM jobs"


@pytest.fixture
def job(database: Engine, settings: Settings) -> RunningJob:
    """Nine units in three shards."""
    return running_job(database, settings)


def fail(job: RunningJob, turn: Turn, times: int = 1) -> None:
    for _ in range(times):
        note_trouble(job.engine, job.id, turn, ValueError("nobody foresaw it"))


def succeed(job: RunningJob, turn: Turn) -> None:
    forget_trouble(job.engine, job.id, turn)


@pytest.mark.parametrize("turn", ["plan", "cut", "collect"])
def test_errors_between_which_turns_succeed_never_end_a_job(job: RunningJob, turn: Turn) -> None:
    for _ in range(3):
        fail(job, turn, MOST_TROUBLE - 1)
        succeed(job, turn)
    [row] = job.rows(SHOWN)
    assert (row["trouble"], row["status"], row["status_reason"]) == (0, "running", None)


@pytest.mark.parametrize(
    ("failing", "other"), [("cut", "plan"), ("cut", "collect"), ("collect", "cut")]
)
def test_turns_of_another_kind_do_not_keep_a_job_alive_that_cannot_go_on(
    job: RunningJob, failing: Turn, other: Turn
) -> None:
    for _ in range(MOST_TROUBLE):
        fail(job, failing)
        succeed(job, other)
    [row] = job.rows(SHOWN)
    assert (row["status"], row["finish_as"]) == ("finalizing", "failed")


@pytest.mark.parametrize(
    "left",
    [
        "UPDATE stages SET status = 'sealing', seal_lease_until = now() + interval '1 h'",
        "INSERT INTO streams (table_id, job_id, ended_at) SELECT table_id, job_id, now() "
        "FROM job_inputs",
    ],
)
def test_a_collector_that_found_it_in_other_hands_has_not_got_through(
    job: RunningJob, left: str
) -> None:
    job.run(left)
    fail(job, "collect")
    succeed(job, "collect")
    assert job.rows(SHOWN)[0]["trouble"] == 1


def test_a_job_without_trouble_is_not_written_to(job: RunningJob) -> None:
    [before] = job.rows(SHOWN)
    succeed(job, "collect")
    assert job.rows(SHOWN) == [before]


def test_what_a_finishing_job_waits_for_is_told_again(job: RunningJob) -> None:
    job.run("""UPDATE jobs SET finishing = '{"kind": "deadline"}'""")
    fail(job, "plan")
    succeed(job, "plan")
    assert job.rows(SHOWN)[0]["status_reason"] == {"kind": "deadline"}


def test_a_paused_job_keeps_the_reason_it_goes_on_by_and_counts_anew_when_resumed(
    job: RunningJob,
) -> None:
    reason = {"kind": "budget", "scope": "day", "until": "2020-01-01T00:00:00Z"}
    with job.engine.begin() as tx:
        assert job_control.pause(tx, job.id, reason)
    fail(job, "collect", MOST_TROUBLE - 1)
    assert job.rows(SHOWN)[0]["status_reason"] == reason
    with job.engine.begin() as tx:
        assert job_control.resume(tx, job.id)
    fail(job, "collect", MOST_TROUBLE - 1)
    assert job.status() == "running"


def test_only_the_planner_that_held_the_job_did_its_turn(job: RunningJob) -> None:
    planner = Planner(job.engine, job.settings, job.rung.append, job.rung.append)
    assert plan_job(planner, job.id)
    job.run("UPDATE jobs SET planner_id = 'wrk_b', planner_lease_until = now() + interval '1 h'")
    assert not plan_job(planner, job.id)
