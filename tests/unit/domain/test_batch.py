"""The status of a batch follows from its job."""

import pytest

from shared.domain.batch import batch_status, not_run
from shared.domain.job import JobStatus


@pytest.mark.parametrize(
    ("job", "status"),
    [
        (None, "failed"),
        ("queued", "validating"),
        ("planning", "validating"),
        ("piloting", "in_progress"),
        ("awaiting_approval", "in_progress"),
        ("running", "in_progress"),
        ("paused", "in_progress"),
        ("finalizing", "finalizing"),
        ("succeeded", "completed"),
        ("partial", "completed"),
        ("failed", "failed"),
        ("cancelled", "cancelled"),
    ],
)
def test_every_status_of_a_job_is_one_of_a_batch(job: JobStatus | None, status: str) -> None:
    assert batch_status(job) == status


def test_a_batch_that_is_being_cancelled_says_so() -> None:
    assert batch_status("finalizing", finish_as="cancelled") == "cancelling"
    assert batch_status("finalizing", finish_as="failed") == "finalizing"


def test_a_batch_without_a_single_success_is_completed_and_not_failed() -> None:
    assert batch_status("failed", error_code="no_result") == "completed"
    assert batch_status("failed", error_code="capability_gone") == "failed"


def test_only_a_deadline_makes_a_batch_expire() -> None:
    assert batch_status("partial", early="deadline") == "expired"
    assert batch_status("failed", early="deadline", error_code="no_result") == "expired"
    assert batch_status("partial", early="finalized") == "completed"


def test_a_line_that_was_not_run_tells_what_kept_it() -> None:
    assert not_run("expired")[0] == "batch_expired"
    assert not_run("cancelled")[0] == "batch_cancelled"
    assert not_run("completed")[0] == "not_run"
