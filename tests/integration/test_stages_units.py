"""What a worker loads for a shard: own rows and context, whichever part of it is left."""

from typing import Any

from sqlalchemy import Engine

from services.worker.load_units import LoadedUnit, load_units
from services.worker.stage_run import StageRuns
from shared.capabilities.registry import installed
from shared.settings import Settings
from tests.integration.running_job import WORDS, RunningJob, plan_of, running_job

SUMMARY: dict[str, Any] = {
    "name": "words",
    "over": "notes",
    "capability": "summarize",
    "params": {"field": "text"},
}


def loaded(job: RunningJob, number: int, *units: int) -> list[LoadedUnit]:
    """Return these units of the job's shard of this number."""
    can = job.stage().capability
    shard = job.claim(job.shard_ids()[number], can=can)
    assert shard is not None
    run = StageRuns(job.engine, installed()).get(shard.stage_id)
    return load_units(job.engine, run, shard, units or shard.units)


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


def test_row_units_see_their_neighbours_over_the_edges_of_shards_and_of_the_table(
    database: Engine, settings: Settings
) -> None:
    plan = plan_of({**WORDS, "unit": {"rows": 2, "overlap": 3}})
    job = running_job(database, settings, units=9, plan=plan, shard_size=2)
    seen = [one.unit for number in range(3) for one in loaded(job, number)]
    assert [unit.index for unit in seen] == [0, 1, 2, 3, 4]
    assert [ids(unit.rows) for unit in seen] == [[0, 1], [2, 3], [4, 5], [6, 7], [8]]
    assert [ids(unit.before) for unit in seen] == [[], [0, 1], [1, 2, 3], [3, 4, 5], [5, 6, 7]]
    assert [ids(unit.after) for unit in seen] == [[2, 3, 4], [4, 5, 6], [6, 7, 8], [8], []]


def test_only_the_units_that_are_left_are_loaded(database: Engine, settings: Settings) -> None:
    job = running_job(database, settings, units=9, shard_size=9)
    units = [one.unit for one in loaded(job, 0, 2, 7)]
    assert [(unit.index, ids(unit.rows)) for unit in units] == [(2, [2]), (7, [7])]


def test_groups_bring_their_key_and_the_runs_of_their_source_rows(
    database: Engine, settings: Settings
) -> None:
    # given rows a a b a b, null null
    job = running_job(
        database, settings, shard_size=2, rows=[
            {"id": number, "text": f"w{number}", "team": team}
            for number, team in enumerate(["a", "a", "b", "a", "b", None, None])
        ],
        plan=plan_of({**SUMMARY, "unit": {"group_by": ["team"]}}),
    )  # fmt: skip
    first, second = loaded(job, 0), loaded(job, 1)
    found = [*first, *second]
    assert [one.unit.key for one in found] == [{"team": "a"}, {"team": "b"}, {"team": None}]
    assert [ids(one.unit.rows) for one in found] == [[0, 1, 3], [2, 4], [5, 6]]
    assert [one.source for one in found] == [[[0, 2], [3, 1]], [[2, 1], [4, 1]], [[5, 2]]]


def test_one_group_of_a_shard_may_be_left(database: Engine, settings: Settings) -> None:
    job = running_job(
        database, settings, units=4, shard_size=4,
        plan=plan_of({**SUMMARY, "unit": {"group_by": ["text"]}}),
    )  # fmt: skip
    [only] = loaded(job, 0, 2)
    assert (only.unit.index, ids(only.unit.rows), only.source) == (2, [2], [[2, 1]])


def test_a_whole_table_is_one_unit_with_all_rows(database: Engine, settings: Settings) -> None:
    plan = plan_of({**SUMMARY, "unit": {"table": True}})
    job = running_job(database, settings, units=5, plan=plan)
    [only] = loaded(job, 0)
    assert (only.unit.key, ids(only.unit.rows), only.source) == ({}, [0, 1, 2, 3, 4], None)
