"""Stages open once, are cut once, and close only with a ledger that equals a recount."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from shared.database import stages
from shared.settings import Settings
from tests.integration.running_job import WORDS, RunningJob, plan_of, queued_job, running_job

COUNT: dict[str, Any] = {
    "name": "count",
    "over": ["words"],
    "unit": {"table": True},
    "capability": "sql",
    "params": {"query": "SELECT count(*) AS n FROM words"},
}


@pytest.fixture
def job(database: Engine, settings: Settings) -> RunningJob:
    """A stage of nine units, and one that waits for it."""
    return running_job(database, settings, plan=plan_of(WORDS, COUNT))


def test_a_stage_opens_when_all_it_reads_is_sealed(job: RunningJob, database: Engine) -> None:
    assert (job.stage("words").status, job.stage("count").status) == ("open", "waiting")
    with database.connect() as connection:
        assert stages.ready_to_open(connection, job.id) == []
    job.work_off()
    job.collect()
    assert job.stage("words").status == "closed"
    with database.connect() as connection:
        assert [one.name for one in stages.ready_to_open(connection, job.id)] == ["count"]


def test_a_stage_opens_once(job: RunningJob, database: Engine) -> None:
    words = job.stage()
    with database.begin() as tx:
        again = stages.open_stage(tx, words.id, source_table_id="tbl_other", unit_count=99)
    assert again is None
    assert job.stage().unit_count == 9


def test_planners_at_once_make_one_plan_and_cut_once(database: Engine, settings: Settings) -> None:
    made = queued_job(database, settings, units=60, shard_size=1)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: made.plan(), range(12)))
    made.plan()
    assert [row["version"] for row in made.rows("SELECT version FROM plans")] == [1]
    firsts = [row["first_unit"] for row in made.rows("SELECT first_unit FROM shards ORDER BY 1")]
    assert firsts == list(range(60))
    assert made.stage().fully_cut
    planned = made.rows("SELECT type FROM events WHERE type = 'job.planned'")
    assert len(planned) == 1


def test_the_cursor_of_cutting_moves_from_where_it_is(job: RunningJob, database: Engine) -> None:
    job.run("UPDATE stages SET cut_units = 3, fully_cut = false WHERE name = 'words'")
    stage_id = job.stage().id
    with database.begin() as tx:
        assert not stages.note_cut(tx, stage_id, 0, 6)
        assert stages.note_cut(tx, stage_id, 3, 6)
        assert not stages.note_cut(tx, stage_id, 3, 6)
    assert (job.stage().cut_units, job.stage().fully_cut) == (6, False)
    with database.begin() as tx:
        assert stages.note_cut(tx, stage_id, 6, 9)
    assert job.stage().fully_cut


def test_a_stage_is_sealed_when_it_is_cut_to_the_end_and_no_shard_is_open(
    job: RunningJob, database: Engine
) -> None:
    def begin() -> list[int]:
        with database.begin() as tx:
            return stages.begin_sealing(tx, job.id)

    assert begin() == []
    job.work_off()
    job.run("UPDATE stages SET fully_cut = false WHERE name = 'words'")
    assert begin() == []
    job.run("UPDATE stages SET fully_cut = true WHERE name = 'words'")
    assert begin() == [job.stage().id]
    assert begin() == []
    assert job.stage().status == "sealing"


def test_one_collector_seals_until_its_lease_ends(job: RunningJob, database: Engine) -> None:
    job.run("UPDATE stages SET status = 'sealing' WHERE name = 'words'")

    def lease(seconds: float) -> list[str]:
        with database.begin() as tx:
            return [one.name for one in stages.lease_sealing(tx, job.id, seconds)]

    assert lease(3600) == ["words"]
    assert lease(3600) == []
    job.run("UPDATE stages SET seal_lease_until = now() - interval '1 s'")
    assert lease(3600) == ["words"]


@pytest.mark.parametrize("status", ["closed", "abandoned"])
def test_postgres_refuses_a_ledger_that_is_not_a_recount(
    job: RunningJob, database: Engine, status: str
) -> None:
    job.work_off()
    with (
        pytest.raises(DBAPIError, match="a recount finds 9 and 0") as refused,
        database.begin() as tx,
    ):
        stages.end_stage(tx, job.stage().id, status, succeeded=8, failed=1)
    assert getattr(refused.value.orig, "sqlstate", None) == "AP001"
    assert job.stage().status == "open"


def test_postgres_refuses_to_close_a_stage_with_a_unit_unaccounted_for(
    job: RunningJob, database: Engine
) -> None:
    shard = job.claimed(job.shard_ids()[0])
    job.settle(shard, [0, 1])
    with pytest.raises(DBAPIError, match="stage_ledger_adds_up"), database.begin() as tx:
        stages.end_stage(tx, job.stage().id, "closed", succeeded=2, failed=0)
    with database.begin() as tx:
        assert stages.end_stage(
            tx, job.stage().id, "abandoned", succeeded=2, failed=0, skipped=3, cancelled=4
        )
        assert not stages.end_stage(tx, job.stage().id, "closed", succeeded=2, failed=0)
    assert job.stage().status == "abandoned"


def test_an_empty_table_has_no_units_and_its_stage_closes_at_once(
    database: Engine, settings: Settings
) -> None:
    made = queued_job(database, settings, units=0, plan=plan_of(WORDS, COUNT)).plan()
    assert (made.stage().unit_count, made.stage().fully_cut) == (0, True)
    assert made.rung == [made.id]
    made.collect()
    assert made.stage().status == "closed"
