"""What a batch of the OpenAI-compatible interface tells of its job: pure."""

from typing import Any, Literal

BatchStatus = Literal[
    "validating",  # the job is planned
    "failed",  # a line of the file cannot be run, or the job failed as a whole
    "in_progress",  # the job runs, or is paused
    "finalizing",  # the job writes its record
    "completed",  # every line was run; those without an answer are in the error file
    "expired",  # the job had a deadline, and it passed
    "cancelling",  # a client asked; the record is being written
    "cancelled",
]
COMPLETION_WINDOW = "24h"  # what clients send; nothing ends after it
CHAT_URL = "/v1/chat/completions"
NO_RESULT = "no_result"  # the error of a job none of whose units succeeded

_BEFORE_RUNNING = frozenset({"queued", "planning"})
_ENDED_WELL = frozenset({"succeeded", "partial"})


def batch_status(
    job_status: str | None, *, finish_as: str | None = None, early: str | None = None,
    error_code: str | None = None,
) -> BatchStatus:  # fmt: skip
    """Return the status of a batch; `job_status` None: its file was refused, there is no job.

    `early` says why the job finished early (``deadline``), `error_code` why it failed. A job in
    which no request succeeded is a completed batch all the same: every line has its answer.
    """
    if job_status is None:
        return "failed"
    if job_status in _BEFORE_RUNNING:
        return "validating"
    if job_status == "finalizing":
        return "cancelling" if finish_as == "cancelled" else "finalizing"
    if job_status == "cancelled":
        return "cancelled"
    if job_status in _ENDED_WELL or (job_status == "failed" and error_code == NO_RESULT):
        return "expired" if early == "deadline" else "completed"
    return "failed" if job_status == "failed" else "in_progress"


def not_run(status: BatchStatus) -> tuple[str, str]:
    """Return (code, message) of a line that an ended batch never ran."""
    if status == "expired":
        return "batch_expired", "The deadline passed before this request was run."
    if status == "cancelled":
        return "batch_cancelled", "The batch was cancelled before this request was run."
    return "not_run", "The batch ended before this request was run."


def batch_plan() -> dict[str, Any]:
    """Return the plan of a batch: one stage, one chat request per row of its file."""
    return {
        "version": 1,
        "stages": [
            {
                "name": "answers",
                "over": "requests",
                "unit": {"rows": 1},
                "capability": "chat",
                "params": {"field": "body", "require_ok": True},
            }
        ],
        "result": {"table": "answers"},
    }
