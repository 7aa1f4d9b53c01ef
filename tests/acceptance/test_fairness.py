"""A small job beside a huge one, and a slow worker beside a quick one: neither holds others up."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.accounts import (
    assert_each_unit_once,
    assert_ledger_adds_up,
    job_of,
    moody_plan,
    people,
    settled,
)
from tests.faults.model_jobs import labels_of, model_settings, tickets
from tests.stack import Stack

HUGE = 100_000
REDACT = {
    "version": 1,
    "stages": [
        {"name": "clean", "over": "notes", "unit": {"rows": 1}, "capability": "redact",
         "params": {"field": "text"}},
    ],
    "result": {"table": "clean"},
}  # fmt: skip


def test_a_small_job_is_final_long_before_the_huge_one_it_was_sent_behind(
    make_stack: Callable[..., Stack],
) -> None:
    # given a huge job under way
    stack = make_stack().start_all(workers=2)
    rows = [{"id": n, "text": f"mail a{n}@example.com"} for n in range(HUGE)]
    huge = stack.submit({"plan": REDACT, "inputs": {"notes": {"rows": rows}}})
    eventually(lambda: settled(stack, huge) >= 500, within=60)

    # when a small one is sent
    small = stack.submit({"plan": REDACT, "inputs": {"notes": {"rows": rows[:10]}}})
    job = stack.wait(small, within=60)

    # then it is done while most of the huge one is still to do
    assert job["status"] == "succeeded"
    assert settled(stack, huge) < HUGE / 2
    assert stack.get(f"/v1/jobs/{huge}").json["finished_at"] is None
    assert stack.post(f"/v1/jobs/{huge}/cancel").status == 202
    assert stack.wait(huge, within=60)["status"] == "cancelled"
    stack.stop()


def test_a_small_job_runs_though_every_slot_is_held_by_shards_that_take_long(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with FakeModel(tmp_path) as model:
        # given one slot, taken by a shard whose calls do not end
        stack = make_stack(APWA_WORKER_SLOTS="1", **model_settings(model)).start_all(workers=1)
        hanging = [{"id": n, "text": f"FAULT:hang {n}"} for n in range(40)]
        slow = stack.submit(labels_of(hanging, timeout_s=600))
        eventually(lambda: model.stats()["in_flight"] > 0, within=30)

        # when a small job comes, then it is done while that shard is still at work
        small = stack.submit(labels_of(tickets(10)))
        assert stack.wait(small, within=60)["status"] == "succeeded"
        held = "SELECT count(*) FROM shards WHERE job_id = %s AND status = 'running'"
        assert stack.scalar(held, slow) == 1
        assert stack.post(f"/v1/jobs/{slow}/cancel").status == 202
        assert stack.wait(slow, within=60)["status"] == "cancelled"
        stack.stop()


def test_the_rest_of_a_shard_that_hangs_is_done_by_others(
    make_stack: Callable[..., Stack], own_package: str, tmp_path: Path
) -> None:
    # given a job one unit of which blocks the only child of its worker
    units, journal, gate = 720, tmp_path / "journal", tmp_path / "gate"
    stack = make_stack(APWA_SHARD_SIZE="60")
    stack.environ["PYTHONPATH"] = own_package
    stack.start_all(workers=2)
    rows = people(units)
    rows[0]["do"] = "wait"
    plan = moody_plan({"journal": str(journal), "gate": str(gate)})
    job_id = stack.submit(job_of(rows, plan=plan))

    # then everything that is not begun there is done by the other worker meanwhile: the worker
    # that hangs holds two batches of twenty units
    eventually(lambda: settled(stack, job_id) >= units - 40, within=60)
    moved = stack.rows(
        "SELECT parent_id FROM shards WHERE job_id = %s AND parent_id IS NOT NULL", job_id
    )
    assert moved
    assert stack.get(f"/v1/jobs/{job_id}").json["status"] == "running"

    # and once it goes on, all are there once, and none was run twice
    gate.touch()
    assert_each_unit_once(stack, stack.wait(job_id, within=60), units)
    assert_ledger_adds_up(stack, job_id)
    assert Counter(map(int, journal.read_text().split())) == Counter(range(units))
    stack.stop()
