"""Reading a stage's rows while it runs, when it failed in parts and after it closed."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import Connection, Engine, text

from services.api import formats
from shared.actions.refusals import Gone
from shared.database import jobs, plans, stages, tables
from shared.database.engine import to_json
from shared.database.stages import NewStage
from shared.domain.columns import Column
from shared.domain.ids import new_id
from shared.domain.plan import UnitSpec
from shared.domain.stage import StageSpec
from shared.settings import Settings
from shared.tables.arrow import rows_to_batch
from shared.tables.store import TableWriter, with_units
from tests.integration.api_door import REDACT_PLAN, Api, problem

COLUMNS = (Column("id", "integer"), Column("text", "string"), Column("tags", "json"))
SPEC = StageSpec(
    over=("tickets",), unit=UnitSpec("rows", size=2), params={}, instructions=None, input=None,
    output={"type": "object"}, emit="many", kept=(), replicas=1, agree=None, retries=0,
    timeout_s=10.0,
).to_json()  # fmt: skip


class Job:
    """A job with one stage over ten input rows (five units of two), settled shard by shard."""

    def __init__(self, api: Api) -> None:
        self.api = api
        rows = [{"id": n, "text": f"t{n}"} for n in range(10)]
        self.id = api.submit(inputs={"tickets": {"rows": rows}})["id"]
        with api.database.begin() as connection:
            self.input = jobs.inputs(connection, self.id)[0].table_id
            self.output = new_id("tbl")
            tables.insert_loading(
                connection, self.output, api.project_id, "clean", "stage", self.id
            )
            plans.insert(
                connection, self.id, 1, engine="given", document=REDACT_PLAN, hash_="h",
                findings=[], price={},
            )  # fmt: skip
            stages.insert(connection, self.id, 1, self._stage())
            [stage] = stages.of_job(connection, self.id)
            self.stage_id = stage.id
            stages.open_stage(connection, stage.id, source_table_id=self.input, unit_count=5)
            run(connection, "UPDATE jobs SET status = 'running', plan_version = 1, plan_hash = 'h'")

    def _stage(self) -> NewStage:
        return NewStage(
            no=0, name="clean", spec=SPEC, brief="", capability="redact", capability_version="1",
            queue="cpu", reads={"tickets": self.input}, columns=COLUMNS, keys=(), max_failed=1.0,
            is_result=True, output_table_id=self.output,
        )  # fmt: skip

    def shard(self, units: list[int], noted: int | None, bad: tuple[int, ...] = ()) -> None:
        """Settle a shard of these units; `bad` ones fail. Each good unit gives two rows."""
        with self.api.database.begin() as connection:
            [shard_id] = run(
                connection,
                """INSERT INTO shards (stage_id, job_id, status, capability, queue, first_unit,
                  last_unit, unit_count, first_row, row_count, succeeded, failed, noted_no)
                VALUES (:stage, :job, 'done', 'redact', 'cpu', :first, :last, :n, 0, 0, :good,
                  :bad, :noted) RETURNING id""",
                stage=self.stage_id, job=self.id, first=units[0], last=units[-1], n=len(units),
                good=len(units) - len(bad), bad=len(bad), noted=noted,
            )[0]  # fmt: skip
            for unit in units:
                run(
                    connection,
                    """INSERT INTO results (stage_id, unit, shard_id, outcome, code, detail, output,
                      attempt) VALUES (:stage, :unit, :shard, :outcome, :code, :detail,
                      CAST(:output AS jsonb), 1)""",
                    stage=self.stage_id, unit=unit, shard=shard_id,
                    outcome="failed" if unit in bad else "succeeded",
                    code="timeout" if unit in bad else None,
                    detail=f"after {unit} s" if unit in bad else None,
                    output=None if unit in bad else to_json(rows_of(unit)),
                )  # fmt: skip

    def close(self, good: list[int]) -> None:
        """Write the output table and close the stage."""
        writer = TableWriter(self.api.database, self.output, chunk_bytes=100)
        for unit in good:
            batch = rows_to_batch(rows_of(unit), COLUMNS)
            writer.add(with_units(batch, [unit, unit]), unit)
        writer.finish()
        with self.api.database.begin() as connection:
            tables.seal(
                connection, self.output, columns=COLUMNS, key=None, content_hash=None,
                statistics=None, sample=None, report=None,
            )  # fmt: skip
            stages.end_stage(
                connection, self.stage_id, "closed", succeeded=len(good), failed=5 - len(good)
            )

    def results(self, query: str = "") -> Any:
        answer = self.api.get(f"/v1/jobs/{self.id}/results?{query}")
        assert answer.status_code == 200, answer.text
        return answer


def run(connection: Connection, sql: str, **values: Any) -> Any:
    found = connection.execute(text(sql), values)
    return found.all() if found.returns_rows else None


def rows_of(unit: int) -> list[dict[str, Any]]:
    return [
        {"id": unit * 2 + n, "text": f"=clean {unit}", "tags": [unit, {"n": n}]} for n in (0, 1)
    ]


def rows_of_units(*units: int) -> list[dict[str, Any]]:
    return [row for unit in units for row in rows_of(unit)]


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


@pytest.fixture
def job(api: Api) -> Job:
    return Job(api)


def test_while_a_stage_runs_its_noted_shards_are_read_in_that_order(job: Job) -> None:
    job.shard([3, 4], noted=1)
    job.shard([0], noted=2)
    job.shard([1, 2], noted=None)
    page = job.results().get_json()
    assert page["items"] == rows_of_units(3, 4, 0)
    assert page["next_cursor"] is None
    assert job.results("format=jsonl").data.splitlines() == [
        json.dumps(row, separators=(",", ":")).encode() for row in rows_of_units(3, 4, 0)
    ]


def test_rows_keep_the_order_of_their_columns(job: Job) -> None:
    job.shard([0], noted=1)
    assert job.results("format=jsonl").data.startswith(b'{"id":0,"text":"=clean 0","tags":')


def test_pages_of_a_running_stage_have_no_gap_and_no_repeat(job: Job) -> None:
    job.shard([3, 4], noted=1)
    job.shard([0], noted=2)
    seen: list[Any] = []
    query = "limit=1"
    while query:
        page = job.results(query).get_json()
        seen += page["items"]
        query = f"limit=1&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == rows_of_units(3, 4, 0)


def test_a_reader_can_come_back_for_what_was_noted_later(job: Job) -> None:
    job.shard([3, 4], noted=1)
    first = job.results().get_json()
    job.shard([0], noted=2)
    second = job.results(f"cursor={first['resume_cursor']}").get_json()
    assert second["items"] == rows_of_units(0)
    assert job.results(f"cursor={second['resume_cursor']}").get_json()["items"] == []


def test_an_old_cursor_keeps_its_order_after_the_stage_closed(job: Job) -> None:
    job.shard([3, 4], noted=1)
    first = job.results("limit=3").get_json()
    job.shard([0, 1, 2], noted=2)
    job.close(good=[0, 1, 2, 3, 4])
    rest = job.results(f"cursor={first['next_cursor']}").get_json()
    assert first["items"] + rest["items"] == rows_of_units(3, 4, 0, 1, 2)
    assert rest["next_cursor"] is None
    assert rest["resume_cursor"] is None


def test_after_closing_rows_come_in_unit_order(job: Job) -> None:
    job.shard([3, 4], noted=1)
    job.shard([0, 1, 2], noted=2)
    job.close(good=[0, 1, 2, 3, 4])
    seen: list[Any] = []
    query = "limit=3"
    while query:
        page = job.results(query).get_json()
        seen += page["items"]
        query = f"limit=3&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == rows_of_units(0, 1, 2, 3, 4)
    assert page["resume_cursor"] is None
    assert job.results("include=lineage").get_json()["items"][0]["_apwa"]["unit"] == 0


def test_lineage_names_stage_unit_source_rows_and_attempt(job: Job) -> None:
    job.shard([0, 3], noted=1)
    items = job.results("include=lineage").get_json()["items"]
    assert [item["_apwa"]["unit"] for item in items] == [0, 0, 3, 3]
    assert items[2] == {
        **rows_of(3)[0],
        "_apwa": {
            "stage": "clean",
            "unit": 3,
            "source": {"table": job.input, "name": "tickets", "rows": [[6, 2]]},
            "attempt": 1,
        },
    }


def test_input_rows_can_be_included(job: Job) -> None:
    job.shard([3], noted=1)
    [first, _] = job.results("include=input").get_json()["items"]
    assert first["_apwa"]["input"] == [{"id": 6, "text": "t6"}, {"id": 7, "text": "t7"}]
    assert first["_apwa"]["input_rows"] == 2


def test_rows_that_are_sent_break_off_when_their_job_is_deleted(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given rows that are on their way when their job is deleted, and perhaps erased
    monkeypatch.setattr(formats, "_ROWS_AT_ONCE", 1)
    job.shard([0, 1], noted=1)
    sent = job.results("format=csv")
    with job.api.database.begin() as connection:
        run(connection, "UPDATE jobs SET deleted_at = now() WHERE id = :id", id=job.id)

    # then what was sent must not look like all there was
    with pytest.raises(Gone):
        sent.get_data()


def test_input_rows_of_an_erased_table_are_left_out(job: Job) -> None:
    job.shard([0], noted=0)
    with job.api.database.begin() as connection:
        run(connection, "DELETE FROM table_chunks WHERE table_id = :id", id=job.input)
        run(connection, "UPDATE tables SET status = 'erased' WHERE id = :id", id=job.input)

    items = job.results("include=input").get_json()["items"]

    assert [item["_apwa"]["input"] for item in items] == [[], []]


def test_failed_units_are_listed_with_code_and_source(job: Job) -> None:
    job.shard([0, 1], noted=1, bad=(1,))
    job.shard([2, 3, 4], noted=2, bad=(2, 4))
    for closed in (False, True):
        if closed:
            job.close(good=[0, 3])
        items = job.results("outcome=failed").get_json()["items"]
        assert [item["_apwa"]["unit"] for item in items] == [1, 2, 4]
        assert items[0] == {
            "_apwa": {
                "stage": "clean",
                "unit": 1,
                "source": {"table": job.input, "name": "tickets", "rows": [[2, 2]]},
                "attempt": 1,
                "outcome": "failed",
                "code": "timeout",
                "detail": "after 1 s",
            }
        }
        everything = job.results("outcome=all").get_json()["items"]
        assert [item["_apwa"]["unit"] for item in everything] == [0, 0, 1, 2, 3, 3, 4]
        assert job.results().get_json()["items"] == rows_of_units(0, 3)


def test_pages_of_failed_units_have_no_gap(job: Job) -> None:
    job.shard([0, 1, 2, 3, 4], noted=1, bad=(0, 2, 4))
    job.close(good=[1, 3])
    seen: list[int] = []
    query = "outcome=failed&limit=1"
    while query:
        page = job.results(query).get_json()
        seen += [item["_apwa"]["unit"] for item in page["items"]]
        cursor = page["next_cursor"]
        query = f"outcome=failed&limit=1&cursor={cursor}" if cursor else ""
    assert seen == [0, 2, 4]


def test_csv_has_a_header_and_neutral_formulas(job: Job) -> None:
    job.shard([0, 1], noted=1)
    answer = job.results("format=csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["id"] for row in rows] == ["0", "1", "2", "3"]
    assert rows[0]["text"] == "'=clean 0"
    assert json.loads(rows[1]["tags"]) == [0, {"n": 1}]


def test_parquet_has_the_columns_of_the_stage(job: Job) -> None:
    job.shard([0, 1], noted=1)
    table = pq.read_table(io.BytesIO(job.results("format=parquet&include=lineage").data))
    assert table.column_names == ["id", "text", "tags", "_apwa"]
    assert table.column("id").to_pylist() == [0, 1, 2, 3]


def test_the_format_can_be_asked_for_by_accept(job: Job) -> None:
    job.shard([0], noted=1)
    path = f"/v1/jobs/{job.id}/results"
    for accept, kind in (
        ("application/x-ndjson", "application/jsonl"),
        ("text/csv;q=0.5, application/jsonl", "application/jsonl"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("*/*", "application/json"),
    ):
        assert job.api.get(path, headers={"Accept": accept}).content_type == kind, accept
    problem(job.api.get(path, headers={"Accept": "image/png"}), 406, "not_acceptable")


def test_wrong_questions_about_results_are_refused(job: Job) -> None:
    path = f"/v1/jobs/{job.id}/results"
    problem(job.api.get(f"{path}?stage=nope"), 404, "not_found")
    problem(job.api.get(f"{path}?outcome=good"), 422, "invalid", "/query/outcome")
    problem(job.api.get(f"{path}?include=all"), 422, "invalid", "/query/include")
    problem(job.api.get(f"{path}?format=xls"), 422, "invalid", "/query/format")
    problem(job.api.get(f"{path}?format=csv&limit=5"), 422, "invalid", "/query/limit")
    job.shard([0], noted=1)
    cursor = job.results("limit=1").get_json()["next_cursor"]
    wrong = job.api.get(f"{path}?outcome=all&cursor={cursor}")
    problem(wrong, 422, "invalid", "/query/cursor")


def test_a_stage_can_be_read_by_name(job: Job) -> None:
    job.shard([0], noted=1)
    assert job.results("stage=clean").get_json()["items"] == rows_of(0)


def test_subtasks_are_listed_by_unit_with_their_attempts(job: Job) -> None:
    job.shard([0, 1, 2], noted=1, bad=(1,))
    with job.api.database.begin() as connection:
        run(
            connection,
            """INSERT INTO attempts (stage_id, unit, number, shard_id, fence, outcome, code)
            VALUES (:stage, 1, 1, 1, 1, 'retry', 'timeout')""",
            stage=job.stage_id,
        )
    path = f"/v1/jobs/{job.id}/subtasks"
    first = job.api.get(f"{path}?limit=2").get_json()
    rest = job.api.get(f"{path}?limit=2&cursor={first['next_cursor']}").get_json()
    items = first["items"] + rest["items"]
    assert [(item["unit"], item["outcome"]) for item in items] == [
        (0, "succeeded"), (1, "failed"), (2, "succeeded"),
    ]  # fmt: skip
    assert rest["next_cursor"] is None
    assert items[1]["error"] == {"code": "timeout", "detail": "after 1 s"}
    assert [one["outcome"] for one in items[1]["attempts"]] == ["retry"]
    failed = job.api.get(f"{path}?outcome=failed&stage=clean").get_json()["items"]
    assert [item["unit"] for item in failed] == [1]


def test_failures_are_clustered_while_the_job_runs(job: Job) -> None:
    job.shard([0, 1, 2, 3], noted=1, bad=(1, 3))
    [cluster] = job.api.get(f"/v1/jobs/{job.id}/failures").get_json()["items"]
    assert cluster["stage"] == "clean"
    assert cluster["code"] == "timeout"
    assert cluster["signature"] == "after # s"
    assert cluster["count"] == 2
    assert cluster["sample_unit"] == 1
    assert "timeout_s" in cluster["suggestion"]


def test_a_stage_tells_its_progress(job: Job) -> None:
    job.shard([0, 1, 2], noted=1, bad=(1,))
    [stage] = job.api.get(f"/v1/jobs/{job.id}/stages").get_json()["items"]
    assert stage["progress"] == {
        "units": 5, "succeeded": 2, "failed": 1, "skipped": 0, "cancelled": 0, "running": 0,
        "waiting": 2,
    }  # fmt: skip
    assert stage["coverage"] is None
    shown = job.api.get(f"/v1/jobs/{job.id}").get_json()
    assert shown["progress"] == stage["progress"]
    assert stage["status_reason"] == shown["status_reason"] == {"kind": "cutting"}
    [listed] = job.api.get("/v1/jobs").get_json()["items"]
    assert listed == shown | {"status_reason": None}  # a list does not look at the stages


def test_a_page_of_huge_rows_reads_only_what_it_needs(job: Job) -> None:
    with job.api.database.begin() as connection:
        run(connection, "UPDATE stages SET unit_count = 5")
    job.shard([0, 1, 2, 3, 4], noted=1)
    with job.api.database.begin() as connection:
        run(
            connection,
            """UPDATE results SET output = jsonb_build_array(jsonb_build_object('id', unit, 'text',
            (SELECT string_agg(md5(g::text || unit::text), '') FROM generate_series(1, 100000) g)))
            """,
        )
    items = job.results("limit=5").get_json()["items"]
    assert [item["id"] for item in items] == [0, 1, 2, 3, 4]
    assert {len(item["text"]) for item in items} == {3_200_000}


def test_what_was_settled_of_an_abandoned_stage_stays_readable_in_unit_order(job: Job) -> None:
    job.shard([3, 4], noted=1)
    job.shard([0], noted=None)
    with job.api.database.begin() as connection:
        stages.end_stage(connection, job.stage_id, "abandoned", succeeded=3, failed=0, cancelled=2)
    page = job.results().get_json()
    assert page["items"] == rows_of_units(0, 3, 4)
    assert page["resume_cursor"] is None
    assert job.results("format=jsonl").data.count(b"\n") == 6
