"""Wall clocks that are wrong by two hours: leases, retries and rescues do not notice."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.accounts import assert_each_unit_once, job_of, moody_plan, people
from tests.faults.model_jobs import calls_by_marker, labels_of, model_settings, tickets
from tests.stack import Stack

pytestmark = pytest.mark.long

HOURS_2 = 7200
CLOCKS = {  # seconds before (+) or behind (-)
    "planner": [-HOURS_2],
    "collector": [HOURS_2],
    "worker": [HOURS_2, -HOURS_2],
}
NAP_S = 4.0  # longer than a lease of the tests' stack
UNITS, ROWS = 16, 20


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("model")) as made:
        yield made


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], own_package: str, model: FakeModel) -> Stack:
    """A stack whose processes disagree on the time by up to four hours."""
    wrong = str(Path(__file__).parent / "wrong_clock")
    path = os.pathsep.join([wrong, own_package])
    made = make_module_stack(PYTHONPATH=path, APWA_SHARD_SIZE="2", **model_settings(model))
    made.start("api")
    for role, offsets in CLOCKS.items():
        for offset in offsets:
            made.start(role, CLOCK_OFF_S=str(offset))
    eventually(made.is_ready, within=90)
    eventually(lambda: made.scalar("SELECT count(*) FROM workers") == 2, within=90)
    return made


def test_the_clocks_are_wrong(stack: Stack) -> None:
    for role, offsets in CLOCKS.items():
        for number, offset in enumerate(offsets):
            [log] = stack.folder.glob(f"{role}-{number}-*.log")
            eventually(lambda log=log: '"at": ' in log.read_text(), within=30)
            line = next(line for line in log.read_text().splitlines() if '"at": ' in line)
            off = datetime.fromisoformat(json.loads(line)["at"]) - datetime.now(UTC)
            assert off.total_seconds() == pytest.approx(offset, abs=600), role


def test_units_that_outlast_a_lease_run_once(stack: Stack, tmp_path: Path) -> None:
    # given units that each take longer than a lease, and some that do not
    journal = tmp_path / "journal"
    rows = people(UNITS)
    for row in rows[::8]:
        row["nap_s"] = NAP_S
    job_id = stack.submit(job_of(rows, plan=moody_plan({"journal": str(journal)})))

    # when workers, one before and one behind its time, run them
    job = stack.wait(job_id)

    # then no lease ran out early, and each unit ran once
    assert_each_unit_once(stack, job, UNITS)
    assert sorted(map(int, journal.read_text().split())) == list(range(UNITS))
    claims = stack.rows("SELECT DISTINCT fence FROM shards WHERE job_id = %s", job_id)
    assert (claims, lost(stack, job_id)) == ([(1,)], 0)
    workers = "SELECT count(DISTINCT worker_id) FROM shards WHERE job_id = %s"
    assert stack.scalar(workers, job_id) == 2


def test_a_date_to_wait_for_is_read_by_the_clock_of_who_wrote_it(
    stack: Stack, model: FakeModel
) -> None:
    # given a model that names the date from which it may be called again
    model.change(next_faults=["429_date"], retry_after_s=1.0)

    # when a job meets it
    job_id = stack.submit(labels_of(tickets(ROWS)))
    job = stack.wait(job_id, within=40)

    # then it is called after that, by workers of any time
    assert_each_unit_once(stack, job, ROWS)
    assert lost(stack, job_id) == 0
    calls = calls_by_marker(model)
    assert len(calls) == ROWS
    assert calls.total() == ROWS + 1


def test_the_times_of_the_record_are_the_databases(stack: Stack) -> None:
    job = stack.wait(stack.submit(job_of(people(5))))
    wrong = """SELECT count(*) FROM results r JOIN stages t ON t.id = r.stage_id
      WHERE t.job_id = %s AND abs(extract(epoch FROM clock_timestamp() - r.settled_at)) > 600"""
    assert stack.scalar(wrong, job["id"]) == 0
    now = stack.scalar("SELECT clock_timestamp()")
    for name in ("created_at", "started_at", "finished_at"):
        assert abs((datetime.fromisoformat(job[name]) - now).total_seconds()) < 600, name


def lost(stack: Stack, job_id: str) -> int:
    return int(
        stack.scalar(
            """SELECT count(*) FROM shard_deliveries d JOIN shards s ON s.id = d.shard_id
              WHERE s.job_id = %s AND ending = 'lost'""",
            job_id,
        )
    )
