"""Units that are read again, for whoever looks into a job, are those that were handed out."""

from typing import Any

import pytest
from sqlalchemy import Engine

from services.worker.load_units import load_units
from services.worker.stage_run import StageRuns
from shared.actions.show_subtask import show_subtask
from shared.actions.unit_inputs import unit_at, units_in_order
from shared.capabilities.contract import Unit
from shared.capabilities.registry import installed
from shared.database import tables
from shared.domain.plan import UnitSpec
from shared.settings import Settings
from tests.integration.running_job import WORDS, RunningJob, plan_of, running_job
from tests.integration.test_stages_units import SUMMARY

TEAMS = ["a", "a", "b", "a", "b", None, None, "c", "a"]
ROWS = [{"id": no, "text": f"w{no}", "team": team} for no, team in enumerate(TEAMS)]


def handed_out(job: RunningJob) -> list[Unit]:
    """What a worker gets of every shard."""
    found = []
    for shard_id in job.shard_ids():
        shard = job.claim(shard_id, can=job.stage().capability)
        assert shard is not None
        run = StageRuns(job.engine, installed()).get(shard.stage_id)
        found += [one.unit for one in load_units(job.engine, run, shard, shard.units)]
    return found


@pytest.mark.parametrize(
    ("stage", "unit"),
    [
        (WORDS, {"rows": 1}),
        (WORDS, {"rows": 2, "overlap": 3}),
        (WORDS, {"rows": 4, "overlap": 1}),
        (SUMMARY, {"group_by": ["team"]}),
        (SUMMARY, {"group_by": ["team"], "order_by": ["text"]}),
        (SUMMARY, {"table": True}),
    ],
)
def test_what_is_read_again_is_what_was_handed_out(
    database: Engine, settings: Settings, stage: dict[str, Any], unit: dict[str, Any]
) -> None:
    plan = plan_of({**stage, "unit": unit})
    job = running_job(database, settings, rows=ROWS, plan=plan, shard_size=2)
    given, spec = handed_out(job), UnitSpec.from_json(unit)
    with database.connect() as connection:
        source = tables.find(connection, job.stage().source_table_id or "")
        assert source is not None
        whole = (0, source.row_count)
        one_by_one = [
            unit_at(connection, spec, source, number, whole) for number in range(len(given))
        ]
    assert list(units_in_order(database, spec, source)) == given
    assert one_by_one == given


def test_a_group_is_shown_before_and_after_it_was_settled(
    database: Engine, settings: Settings
) -> None:
    plan = plan_of({**SUMMARY, "unit": {"group_by": ["team"]}})
    job = running_job(database, settings, rows=ROWS, plan=plan, shard_size=2)
    with database.connect() as connection:
        found = [show_subtask(connection, job.stage(), unit) for unit in range(5)]
    shown = [one.input for one in found if one is not None]
    assert [one.key["team"] for one in shown] == ["a", "b", None, "c"]
    assert [[row["id"] for row in one.rows] for one in shown] == [[0, 1, 3, 8], [2, 4], [5, 6], [7]]
    assert found[4] is None


def test_what_was_erased_says_so(database: Engine, settings: Settings) -> None:
    job = running_job(database, settings, units=3)
    source = job.stage().source_table_id or ""
    job.run("UPDATE tables SET status = 'erased' WHERE id = :id", id=source)
    with database.connect() as connection:
        shown = show_subtask(connection, job.stage(), 1)
    assert shown is not None
    assert (shown.input.status, shown.input.rows) == ("erased", [])
