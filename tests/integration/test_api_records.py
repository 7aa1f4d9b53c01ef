"""Appending to a stream: what is accepted, known, rejected and refused; a test is the worker."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from services.collector.collect_job import Collector, collect_job
from services.planner.cut_stream import cut_stream, due_streams
from services.planner.plan_job import Planner, plan_job
from shared.database import shards, stages, streams, tables
from shared.domain.outcome import Settled
from shared.domain.shard import ShardRange
from shared.settings import Settings
from shared.tables.store import read_range, rows_of
from tests.integration.api_door import REDACT_PLAN, Api, problem

COLUMNS = {"id": "integer", "text": "string"}
STREAM: dict[str, Any] = {"stream": True, "columns": COLUMNS, "key": "id"}
NDJSON = "application/x-ndjson"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings, stream_max_behind_rows=20, stream_shard_rows=5, stream_max_age_s=0.01,
        chunk_bytes=2_000,
    )  # fmt: skip


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def submit(api: Api, rows: list[dict[str, Any]] | None = None, **changes: Any) -> str:
    stream = STREAM if rows is None else {**STREAM, "rows": rows}
    return str(api.submit(inputs={"tickets": stream}, **changes)["id"])


def records(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": number, "text": f"t{number}"} for number in numbers]


def append(api: Api, job_id: str, rows: Any, **rest: Any) -> TestResponse:
    return api.post(f"/v1/jobs/{job_id}/records", json=rows, **rest)


def lines(api: Api, job_id: str, body: bytes) -> TestResponse:
    return api.post(f"/v1/jobs/{job_id}/records", data=body, headers={"Content-Type": NDJSON})


def stored(api: Api, sql: str) -> list[Any]:
    with api.database.connect() as connection:
        return list(connection.execute(text(sql)).scalars())


class Fleet:
    """Planner, worker and collector of one job, one step at a time."""

    def __init__(self, api: Api, job_id: str) -> None:
        self.api, self.job_id, self.engine = api, job_id, api.database

    def plan(self) -> "Fleet":
        made = Planner(self.engine, self.api.settings, lambda _: None, lambda _: None)
        plan_job(made, self.job_id)
        return self

    def cut(self) -> "Fleet":
        """Let what waits grow old, and cut until nothing is due."""
        for _ in range(20):
            with self.engine.begin() as tx:
                tx.execute(text("UPDATE stream_batches SET accepted_at = now() - interval '1 h'"))
            for job_id in due_streams(self.engine, self.api.settings):
                cut_stream(self.engine, self.api.settings, job_id)
        return self

    def work(self, most: int = 1_000) -> int:
        """Settle the units of up to `most` pending shards; return how many units."""
        found = stored(self.api, "SELECT id FROM shards WHERE status = 'pending' ORDER BY id")
        units = 0
        for shard_id in found[:most]:
            with self.engine.begin() as tx:
                shard = shards.claim(tx, shard_id, "wrk", ["redact"], 30, may_be_alone=False)
                assert shard is not None
                done = [
                    Settled(unit, "succeeded", 1, output=[{"id": unit, "text": "x"}])
                    for unit in shard.units
                ]
                shards.settle(tx, shard.id, shard.fence, "wrk", done, [])
                shards.finish(tx, shard.id, shard.fence, {})
                units += len(done)
        return units

    def collect(self) -> "Fleet":
        collect_job(Collector(self.engine, self.api.settings, lambda _: None), self.job_id)
        return self

    def job(self) -> dict[str, Any]:
        return dict(self.api.get(f"/v1/jobs/{self.job_id}").get_json())


def test_records_are_accepted_once_however_often_and_in_whatever_company_they_come(
    api: Api,
) -> None:
    job_id = submit(api)
    first = append(api, job_id, records(1, 2, 1))
    assert first.status_code == 202
    assert first.get_json() == {
        "accepted": 2, "duplicates": 1, "rejected": [], "rejected_total": 0,
    }  # fmt: skip
    again = append(api, job_id, records(1, 2, 3)).get_json()
    assert (again["accepted"], again["duplicates"]) == (1, 2)
    assert stored(api, "SELECT key FROM stream_keys ORDER BY row_no") == ["1", "2", "3"]
    assert stored(api, "SELECT accepted_rows FROM streams") == [3]


def test_bad_records_are_rejected_one_by_one_and_keep_no_other_from_being_accepted(
    api: Api,
) -> None:
    rows: list[Any] = [
        {"id": 1, "text": "good"},
        {"id": "x", "text": "wrong type"},
        {"text": "no key"},
        {"id": 2, "extra": 1},
        [3],
        {"id": 4, "text": "nul \0"},
        {"id": 5.0},
    ]
    told = append(api, submit(api), rows).get_json()
    assert (told["accepted"], told["rejected_total"]) == (2, 5)
    assert [(one["index"], one["pointer"]) for one in told["rejected"]] == [
        (1, "/id"), (2, "/id"), (3, "/extra"), (4, ""), (5, "/text"),
    ]  # fmt: skip
    assert all(one["detail"] for one in told["rejected"])
    assert stored(api, "SELECT key FROM stream_keys ORDER BY row_no") == ["1", "5"]


def test_lines_are_taken_one_by_one_and_count_from_one(api: Api) -> None:
    body = b'{"id": 1}\n\n{"id": 2, "id": 3}\n{"id": NaN}\nnonsense\n{"id": 4}\n\xff\n{"id": 1}'
    told = lines(api, submit(api), body).get_json()
    assert (told["accepted"], told["duplicates"]) == (2, 1)
    assert [one["line"] for one in told["rejected"]] == [3, 4, 5, 7]


def test_many_lines_are_accepted_batch_by_batch_and_counted_together(
    settings: Settings, database: Engine
) -> None:
    api = Api(replace(settings, stream_max_behind_rows=10_000), database)
    body = b"\n".join(json.dumps(one).encode() for one in records(*range(1_201)))
    told = lines(api, submit(api), body + b"\n" + body[:20]).get_json()
    assert (told["accepted"], told["duplicates"], told["rejected_total"]) == (1_201, 0, 1)
    assert stored(api, "SELECT row_count FROM stream_batches ORDER BY first_row") == [500, 500, 201]
    api.close()


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b'{"id": 1}', "application/json", 422, "invalid"),
        (b"[{", "application/json", 400, "invalid_json"),
        (b"id\n1", "text/csv", 415, "unsupported_media_type"),
    ],
)
def test_a_body_that_is_no_list_of_records_is_refused_whole(
    api: Api, body: bytes, kind: str, status: int, code: str
) -> None:
    headers = {"Content-Type": kind}
    answer = api.post(f"/v1/jobs/{submit(api)}/records", data=body, headers=headers)
    problem(answer, status, code)
    assert stored(api, "SELECT key FROM stream_keys") == []


def test_an_idempotency_key_gives_the_first_answer_again(api: Api) -> None:
    job_id, headers = submit(api), {"Idempotency-Key": "once"}
    first = append(api, job_id, records(1), headers=headers)
    again = append(api, job_id, records(1), headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.get_json() == first.get_json() != append(api, job_id, records(1)).get_json()


def test_who_is_too_far_behind_gets_429_until_the_workers_have_caught_up(api: Api) -> None:
    # given a limit of 20 records without an outcome
    job_id = submit(api)
    fleet = Fleet(api, job_id).plan()
    assert append(api, job_id, records(*range(20))).status_code == 202
    for step in (fleet.plan, fleet.cut):
        refused = append(api, job_id, records(99))
        problem(refused, 429, "queue_full")
        assert int(refused.headers["Retry-After"]) >= 1
        step()

    # when one shard is worked off, then there is room again, and what is known stays known
    assert fleet.work(most=1) > 0
    told = append(api, job_id, records(0, 99)).get_json()
    assert (told["accepted"], told["duplicates"]) == (1, 1)


def test_rows_a_hybrid_job_starts_with_do_not_count_as_being_behind(api: Api) -> None:
    job_id = submit(api, records(*range(50)))
    Fleet(api, job_id).plan().cut()
    told = append(api, job_id, records(49, 50)).get_json()
    assert (told["accepted"], told["duplicates"]) == (1, 1)
    assert api.get(f"/v1/jobs/{job_id}/records").get_json()["unsettled"] == 1


def test_records_become_chunks_and_shards_in_order_and_none_is_left_over(api: Api) -> None:
    job_id = submit(api, records(100, 101))
    fleet = Fleet(api, job_id).plan()
    for first in range(0, 18, 3):
        append(api, job_id, records(*range(first, first + 3)))
        if first % 2:
            fleet.cut()
    fleet.cut()

    with api.database.connect() as connection:
        [stage] = stages.of_job(connection, job_id)
        table = tables.find(connection, stage.reads["tickets"])
        assert table is not None
        rows = rows_of(read_range(connection, table, 0, 99).rows)
        starts = stored(api, "SELECT first_unit FROM shards ORDER BY first_unit")
        ends = stored(api, "SELECT last_unit + 1 FROM shards ORDER BY first_unit")
    assert [row["id"] for row in rows] == [100, 101, *range(18)]
    assert (table.status, table.row_count, stage.unit_count) == ("open", 20, 20)
    assert (stage.status, stage.fully_cut) == ("open", False)
    assert starts == [0, *ends[:-1]]
    assert ends[-1] == 20
    assert stored(api, "SELECT first_row FROM stream_batches") == []
    numbers = stored(api, "SELECT no FROM table_chunks ORDER BY first_row")
    assert numbers == list(range(len(numbers)))


def test_two_planners_that_cut_one_stream_write_each_unit_once(api: Api) -> None:
    job_id = submit(api)
    fleet = Fleet(api, job_id).plan()
    append(api, job_id, records(*range(10)))
    with api.database.begin() as slow:  # another one holds the table, about to write its chunk
        slow.execute(text("SELECT 1 FROM tables WHERE status = 'open' FOR NO KEY UPDATE"))
        append(api, job_id, records(*range(10, 15)))  # appends go on meanwhile
        fleet.cut()
        assert stored(api, "SELECT id FROM shards") == []
    fleet.cut()
    assert stored(api, "SELECT sum(unit_count) FROM shards") == [15]


def test_the_end_seals_the_table_closes_the_stage_and_ends_the_job(api: Api) -> None:
    job_id = submit(api, records(0))
    fleet = Fleet(api, job_id).plan()
    append(api, job_id, records(1, 2, 3))
    fleet.cut().work()
    append(api, job_id, records(4))
    assert fleet.collect().job()["status"] == "running"

    answer = api.post(f"/v1/jobs/{job_id}/records/end")
    assert answer.status_code == 202
    assert answer.get_json()["id"] == job_id
    problem(append(api, job_id, records(5)), 409, "wrong_state")
    fleet.collect().plan()
    assert stored(api, "SELECT status FROM tables WHERE kind = 'input'") == ["sealed"]
    assert fleet.work() == 1
    assert fleet.collect().job()["status"] == "succeeded"
    assert api.post(f"/v1/jobs/{job_id}/records/end").status_code == 202
    stream = api.get(f"/v1/jobs/{job_id}/records").get_json()
    assert stream["accepted"] == 5
    assert stream["latency"]["settled"] == 5
    assert stream["sealed_at"] >= stream["ended_at"]


def test_a_planner_that_cuts_the_last_records_just_after_the_end_leaves_a_stage_that_closes(
    api: Api,
) -> None:
    # given a stream that was sealed while a planner was about to cut its last records
    job_id = submit(api)
    fleet = Fleet(api, job_id).plan()
    append(api, job_id, records(0, 1, 2))
    api.post(f"/v1/jobs/{job_id}/records/end")
    fleet.collect()
    with api.database.begin() as late:
        [stage] = stages.of_job(late, job_id)
        assert streams.note_cut(late, stage.id, 0, 3)
        shards.insert_cut(late, stage.id, job_id, "redact", "cpu", [ShardRange(0, 0, 3, 0, 3)])

    # then nobody waits for more of it to be cut
    fleet.plan()
    assert fleet.work() == 3
    assert fleet.collect().job()["status"] == "succeeded"


def test_an_ended_stream_is_gone_on_with_wherever_its_collector_died(api: Api) -> None:
    # given an end whose rows were formed up in part when the collector was killed
    job_id = submit(api)
    fleet = Fleet(api, job_id)
    append(api, job_id, records(1, 2))
    api.post(f"/v1/jobs/{job_id}/records/end")
    fleet.collect()  # seals before there is a plan
    fleet.plan()

    # then the stage opens over a sealed table as any other
    assert fleet.work() == 2
    assert fleet.collect().job()["status"] == "succeeded"


def test_a_job_that_could_not_be_planned_takes_no_records_and_its_stream_is_sealed(
    api: Api,
) -> None:
    job_id = submit(api, plan=None, goal="Make everybody happy", planning="rules")
    append(api, job_id, records(1))
    fleet = Fleet(api, job_id).plan()
    assert fleet.job()["status"] == "failed"
    problem(append(api, job_id, records(2)), 409, "wrong_state")
    fleet.collect()
    assert stored(api, "SELECT status FROM tables WHERE kind = 'input'") == ["sealed"]


def test_a_goal_is_planned_from_the_declared_columns(api: Api) -> None:
    job_id = submit(
        api, plan=None, goal="Redact all personal data in the tickets", planning="rules"
    )
    Fleet(api, job_id).plan()
    plan = api.get(f"/v1/jobs/{job_id}/plan").get_json()
    assert plan["plan"]["stages"][0]["params"]["field"] == "text"
    assert plan["price"]["total"]["subtasks"]["high"] > 1_000


def test_an_estimate_of_a_stream_stores_nothing(api: Api) -> None:
    before = api.kept()
    answer = api.post(
        "/v1/jobs/estimate", json={"plan": REDACT_PLAN, "inputs": {"tickets": STREAM}}
    )
    assert answer.status_code == 200, answer.text
    assert api.kept() == before


def test_a_batch_job_takes_no_records_and_nobody_sees_anothers_stream(api: Api) -> None:
    batch = api.submit()["id"]
    problem(append(api, batch, records(1)), 409, "wrong_state")
    problem(api.post(f"/v1/jobs/{batch}/records/end"), 409, "wrong_state")
    problem(api.get(f"/v1/jobs/{batch}/records"), 404, "not_found")
    problem(api.get(f"/v1/jobs/{batch}/records/1"), 404, "not_found")
    job_id, other = submit(api), {"Authorization": f"Bearer {api.other}"}
    append(api, job_id, records(1))
    for method, path in (("POST", ""), ("POST", "/end"), ("GET", ""), ("GET", "/1")):
        body = {"json": []} if (method, path) == ("POST", "") else {}
        answer = api.send(method, f"/v1/jobs/{job_id}/records{path}", headers=other, **body)
        problem(answer, 404, "not_found")


def test_a_record_is_found_by_its_key_before_and_after_its_outcome(api: Api) -> None:
    job_id = submit(api)
    fleet = Fleet(api, job_id)
    append(api, job_id, records(0, 1))
    waiting = api.get(f"/v1/jobs/{job_id}/records/1").get_json()
    assert (waiting["row"], waiting["stage"], waiting["outcome"]) == (1, None, None)
    fleet.plan().cut().work()
    record = api.get(f"/v1/jobs/{job_id}/records/1").get_json()
    assert (record["stage"], record["unit"], record["outcome"]) == ("clean", 1, "succeeded")
    assert record["output"]["id"] == 1
    assert record["latency_ms"] >= 0
    problem(api.get(f"/v1/jobs/{job_id}/records/2"), 404, "not_found")
    problem(api.get(f"/v1/jobs/{job_id}/records/1?stage=x"), 404, "not_found")


def test_a_finalized_stream_skips_every_record_without_an_outcome(api: Api) -> None:
    job_id = submit(api)
    fleet = Fleet(api, job_id).plan()
    append(api, job_id, records(*range(8)))
    fleet.cut().work(most=1)
    append(api, job_id, records(*range(8, 15)))  # in no shard yet
    assert api.post(f"/v1/jobs/{job_id}/finalize").status_code == 202
    problem(append(api, job_id, records(99)), 409, "wrong_state")
    job = fleet.collect().collect().job()
    assert job["status"] == "partial"
    assert job["coverage"]["units"] == 15
    assert job["coverage"]["succeeded"] == 5
    assert job["coverage"]["skipped"] == 10


def test_a_job_that_was_erased_leaves_no_key_behind(api: Api) -> None:
    job_id = submit(api)
    append(api, job_id, records(1))
    [table_id] = stored(api, "SELECT table_id FROM streams")
    with api.database.begin() as tx:
        tx.execute(text("UPDATE jobs SET status = 'failed', finished_at = now()"))
        assert tables.erase(tx, table_id)
    assert stored(api, "SELECT key FROM stream_keys") == []
    assert stored(api, "SELECT data FROM stream_batches") == []
