"""A stream whose records cannot be cut: told to end, its job ends, and accounts for every one."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.collector.deadlines import finish_overdue
from services.collector.erase_deleted import erase_deleted
from shared.actions.note_trouble import MOST_TROUBLE, note_trouble
from shared.database.invariants import breaches
from shared.settings import Settings
from tests.integration.api_door import Api, problem
from tests.integration.test_api_records import Fleet, append, records, stored, submit

# Of 12 accepted records 5 are in a chunk; of the other 7 nobody can make one.
BROKEN = {
    "the next are gone": "DELETE FROM stream_batches WHERE first_row = 5",
    "all the rest is gone": "DELETE FROM stream_batches",
    "one cannot be read": "UPDATE stream_batches SET data = 'torn' WHERE first_row = 8",
}
LATE = "UPDATE jobs SET deadline_at = now() - interval '1 s'"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, stream_shard_rows=5, stream_max_age_s=0.01)


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def run(api: Api, sql: str) -> None:
    with api.database.begin() as tx:
        tx.execute(text(sql))


def broken_stream(api: Api, how: str) -> Fleet:
    """Return a stream of which five records succeeded and seven cannot be cut."""
    fleet = Fleet(api, submit(api, policy={"min_success": 0.0})).plan()
    append(api, fleet.job_id, records(*range(5)))
    assert fleet.cut().work() == 5
    append(api, fleet.job_id, records(5, 6, 7))
    append(api, fleet.job_id, records(*range(8, 12)))
    run(api, BROKEN[how])
    return fleet


def end_of(api: Api, fleet: Fleet, how: str) -> None:
    """Tell the job to end, in one of the ways there are."""
    if how == "deadline":
        run(api, LATE)
        assert finish_overdue(api.database, 0.0) == {fleet.job_id}
    elif how == "trouble":
        api.post(f"/v1/jobs/{fleet.job_id}/records/end")
        for _ in range(MOST_TROUBLE):
            with pytest.raises(Exception) as raised:
                fleet.collect()
            note_trouble(api.database, fleet.job_id, "collect", raised.value)
    else:
        assert api.post(f"/v1/jobs/{fleet.job_id}/{how}").status_code == 202


def broken_invariants(api: Api) -> list[Any]:
    with api.database.connect() as connection:
        return list(breaches(connection))


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize(
    ("told", "status", "counted_as"),
    [
        ("cancel", "cancelled", "cancelled"),
        ("finalize", "succeeded", "skipped"),
        ("deadline", "succeeded", "skipped"),
        ("trouble", "failed", "skipped"),
    ],
)
def test_a_stream_that_cannot_be_cut_ends_when_told_and_accounts_for_every_record(
    api: Api, how: str, told: str, status: str, counted_as: str
) -> None:
    fleet = broken_stream(api, how)

    # when it is told to end
    end_of(api, fleet, told)
    job = fleet.collect().job()

    # then it is final, and each record it took is in its ledger
    assert job["status"] == status
    ledger = job["coverage"]["stages"]["clean"]
    assert (ledger["units"], ledger["succeeded"], ledger[counted_as]) == (12, 5, 7)
    assert job["coverage"]["unreadable"] == 7
    assert (job["progress"]["units"], job["progress"][counted_as]) == (12, 7)
    assert job["progress"]["waiting"] == 0
    assert broken_invariants(api) == []
    assert stored(api, "SELECT data->>'records' FROM events WHERE type = 'stream.cut_short'") == [
        "7"
    ]

    # and it says so of each record, and of the stream
    lost = api.get(f"/v1/jobs/{fleet.job_id}/records/11").get_json()
    assert (lost["outcome"], lost["error"]["code"]) == (counted_as, "stream_cut_short")
    good = api.get(f"/v1/jobs/{fleet.job_id}/records/4").get_json()
    assert (good["outcome"], good["error"]) == ("succeeded", None)
    stream = api.get(f"/v1/jobs/{fleet.job_id}/records").get_json()
    assert (stream["accepted"], stream["unsettled"]) == (12, 0)
    assert stream["sealed_at"] is not None
    problem(append(api, fleet.job_id, records(99)), 409, "wrong_state")


def test_a_stream_whose_chunks_cannot_be_read_ends_when_cancelled(api: Api) -> None:
    fleet = broken_stream(api, "the next are gone")
    run(api, "UPDATE table_chunks SET data = 'torn'")
    end_of(api, fleet, "cancel")
    assert fleet.collect().job()["status"] == "cancelled"
    assert stored(api, "SELECT status FROM tables WHERE kind = 'input'") == ["sealed"]
    assert broken_invariants(api) == []


def test_a_stream_that_goes_on_is_never_sealed_without_its_rest(api: Api) -> None:
    fleet = broken_stream(api, "one cannot be read")
    api.post(f"/v1/jobs/{fleet.job_id}/records/end")
    with pytest.raises(Exception, match=r"."):
        fleet.collect()
    assert stored(api, "SELECT status FROM tables WHERE kind = 'input'") == ["open"]
    assert fleet.job()["status"] == "running"


def test_a_stream_that_was_never_planned_is_sealed_at_what_there_is(api: Api) -> None:
    # given records that are gone, of a job for which there was no plan
    job_id = submit(api, plan=None, goal="Make everybody happy", planning="rules")
    append(api, job_id, records(1, 2))
    run(api, "DELETE FROM stream_batches")
    fleet = Fleet(api, job_id).plan()
    assert fleet.job()["status"] == "failed"

    # then the collector comes to an end with it, and its record stays as it was told
    before = stored(api, "SELECT count(*) FROM events")
    fleet.collect()
    assert stored(api, "SELECT status FROM tables WHERE kind = 'input'") == ["sealed"]
    assert stored(api, "SELECT count(*) FROM events") == before


def test_a_deleted_job_leaves_nothing_of_what_was_never_cut(api: Api) -> None:
    fleet = broken_stream(api, "one cannot be read")
    end_of(api, fleet, "cancel")
    fleet.collect()
    assert api.send("DELETE", f"/v1/jobs/{fleet.job_id}").status_code == 202
    erase_deleted(api.database)
    assert stored(api, "SELECT data FROM stream_batches") == []
    assert stored(api, "SELECT key FROM stream_keys") == []
