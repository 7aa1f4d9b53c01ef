"""What takes all the CPU, the interpreter, or for ever: heartbeats go on, deadlines hold."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fake_llm.process import FakeModel
from tests.faults.accounts import (
    assert_each_unit_once,
    assert_ledger_adds_up,
    job_of,
    moody_plan,
    people,
)
from tests.faults.model_jobs import labels_of, model_settings, tickets
from tests.stack import FAST, Stack

pytestmark = pytest.mark.long

HOG_S = 20.0
STALL_S = float(FAST["APWA_LEASE_S"]) / 3
STALLS = 12
DEADLINE_S = 2.0
ROWS = 12
HANGS = {2: "hang", 5: "hang_body", 8: "drip"}  # row: how its first call never ends


@pytest.fixture
def model(tmp_path: Path) -> Iterator[FakeModel]:
    with FakeModel(tmp_path, drip_every_s=0.3) as made:
        yield made


def test_a_hog_of_twenty_seconds_in_a_child_loses_no_lease(stack: Stack, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    rows = people(20)
    for row in rows[::10]:  # one for each shard, so for both workers
        row.update(do="burn", nap_s=HOG_S)
    job_id = stack.submit(job_of(rows, plan=moody_plan({"journal": str(journal)})))
    assert_each_unit_once(stack, stack.wait(job_id), 20)
    assert_undisturbed(stack, job_id, journal, 20)


def test_who_holds_the_interpreter_for_a_third_of_a_lease_loses_none(
    stack: Stack, tmp_path: Path
) -> None:
    # given units that let no other thread of their worker run, one after the other
    journal = tmp_path / "journal"
    plan = moody_plan({"journal": str(journal)}, capability="moody_on_loop")
    rows = people(STALLS, do="hold", nap_s=STALL_S)

    # when they take several leases together
    job_id = stack.submit(job_of(rows, plan=plan))
    assert_each_unit_once(stack, stack.wait(job_id), STALLS)

    # then none ran out
    assert_undisturbed(stack, job_id, journal, STALLS)


def test_a_call_that_never_ends_is_freed_at_its_deadline_and_made_again(
    make_stack: Callable[..., Stack], model: FakeModel
) -> None:
    # given rows whose first call hangs: before its answer, in the middle, or a byte at a time
    stack = make_stack(**model_settings(model), APWA_SHARD_SIZE="4").start_all(workers=1)
    rows = tickets(ROWS)
    for row, fault in HANGS.items():
        rows[row]["text"] += f" FAULT:{fault}*1"

    # when they run, while the worker's heart beats
    body = labels_of(rows, timeout_s=DEADLINE_S, retries=3)
    job = stack.wait(stack.submit(body))

    # then each is made again, and the endpoint saw the hanging ones let go
    assert_each_unit_once(stack, job, ROWS)
    calls = model.calls()
    assert Counter(call.own_markers[0] for call in calls) == Counter(
        {f"MARK-{row:05d}": 2 if row in HANGS else 1 for row in range(ROWS)}
    )
    freed = {call.fault: call.ended_at - call.at for call in calls if call.fault}
    assert set(freed) == set(HANGS.values())
    assert not any(call.answered for call in calls if call.fault)
    assert lost(stack, job["id"]) == 0
    told = ", ".join(f"{fault} {seconds:.2f} s" for fault, seconds in sorted(freed.items()))
    print(f"\ndeadline {DEADLINE_S:g} s; freed: {told}")


def assert_undisturbed(stack: Stack, job_id: str, journal: Path, units: int) -> None:
    """Nobody was taken for dead: each shard was claimed once, each unit ran once."""
    assert lost(stack, job_id) == 0
    assert stack.rows("SELECT DISTINCT fence FROM shards WHERE job_id = %s", job_id) == [(1,)]
    assert Counter(journal.read_text().split()) == Counter(map(str, range(units)))
    assert_ledger_adds_up(stack, job_id)


def lost(stack: Stack, job_id: str) -> int:
    return int(
        stack.scalar(
            """SELECT count(*) FROM shard_deliveries d JOIN shards s ON s.id = d.shard_id
              WHERE s.job_id = %s AND ending = 'lost'""",
            job_id,
        )
    )
