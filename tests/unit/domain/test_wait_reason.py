"""Everything that does not go on says why."""

from dataclasses import replace
from typing import Any

import pytest

from shared.domain.wait_reason import Postponed, StageSituation, job_wait, stage_wait

UNTIL = "2026-03-01T10:00:00.000000Z"
OPEN = StageSituation(
    status="open", stored_reason=None, job_status="running", job_reason=None, capability="llm",
    has_worker=True, unsealed_inputs=(), running=0, ready_shards=0, postponed=None,
    fully_cut=True,
)  # fmt: skip
PAUSED = {"kind": "paused", "by": "Ann's key"}
LIMITED = Postponed(UNTIL, "rate_limited", "small-model", 3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"running": 3}, None),
        ({"status": "closed"}, None),
        ({"status": "waiting", "unsealed_inputs": ["a"]}, {"kind": "inputs", "tables": ["a"]}),
        ({"status": "waiting"}, {"kind": "planner"}),
        (
            {"ready_shards": 1, "has_worker": False},
            {"kind": "no_worker", "capability": "llm"},
        ),
        ({"ready_shards": 1}, {"kind": "window"}),
        ({"fully_cut": False}, {"kind": "cutting"}),
        ({}, {"kind": "collector"}),
        (
            {"postponed": LIMITED},
            {"kind": "rate_limited", "model": "small-model", "until": UNTIL},
        ),
        (
            {"postponed": replace(LIMITED, code="overloaded")},
            {"kind": "backoff", "attempt": 3, "until": UNTIL, "code": "overloaded"},
        ),
        (
            {"postponed": Postponed(UNTIL, None, None, 0)},
            {"kind": "backoff", "attempt": 0, "until": UNTIL},
        ),
        ({"postponed": replace(LIMITED, code="budget")}, {"kind": "budget", "until": UNTIL}),
        ({"job_status": "paused", "job_reason": PAUSED, "ready_shards": 2}, PAUSED),
        ({"job_status": "paused", "job_reason": PAUSED, "postponed": LIMITED}, PAUSED),
        ({"job_status": "paused", "job_reason": PAUSED, "running": 1}, None),
        ({"job_status": "awaiting_approval", "status": "waiting"}, {"kind": "approval"}),
        ({"job_status": "finalizing"}, {"kind": "collector"}),
        ({"stored_reason": {"kind": "error"}, "ready_shards": 1}, {"kind": "error"}),
    ],
)
def test_a_stage_says_what_it_waits_for(
    changes: dict[str, Any], reason: dict[str, Any] | None
) -> None:
    assert stage_wait(replace(OPEN, **changes)) == reason


@pytest.mark.parametrize("status", ["running", "piloting"])
def test_a_job_at_work_says_what_its_first_waiting_stage_does(status: str) -> None:
    limited = stage_wait(replace(OPEN, postponed=LIMITED))
    inputs = {"kind": "inputs", "tables": ["a"]}

    assert job_wait(status, None, [inputs, limited]) == limited
    assert job_wait(status, None, [limited, None]) is None, "one of its stages runs"
    assert job_wait(status, None, [inputs]) == {"kind": "collector"}


def test_a_job_that_rests_says_its_own_reason() -> None:
    assert job_wait("paused", PAUSED, [{"kind": "window"}]) == PAUSED
    assert job_wait("planning", None, []) == {"kind": "planner"}
    assert job_wait("awaiting_approval", None, []) == {"kind": "approval"}
