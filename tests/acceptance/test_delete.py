"""A deleted job leaves a tombstone: no text of it is anywhere in the database."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.acceptance.model_work.test_model_work import llm_plan
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

SECRET = "zanzibar"  # in every text the job comes with
ERASED = "SELECT erased_at FROM jobs WHERE id = %s"
PARTS = ("plan", "stages", "subtasks", "failures", "events", "results")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("model")) as made:
        yield made


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], model: FakeModel) -> Stack:
    return make_module_stack(
        OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-test", APWA_MODEL="fake",
        APWA_CHUNK_BYTES="1000",
    ).start_all(workers=1)  # fmt: skip


def rows(count: int = 20) -> list[dict[str, Any]]:
    return [
        {"id": n, "text": f"MARK-{n:05d} from {SECRET}", "kind": "ab"[n % 2]} for n in range(count)
    ]


def job_of(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A job with groups (an arrangement), a literal table, a failure and an idempotent answer."""
    plan = llm_plan()
    stage = plan["stages"][0]
    stage["keep"] = ["kind", "text"]
    stage["template"]["instructions"] = f"Label what comes from {SECRET}."
    plan["brief"] = f"{SECRET} is an island."
    plan["tables"] = {"places": [{"place": SECRET}]}
    joined = {
        "name": "joined", "over": ["labels", "places"], "unit": {"table": True},
        "capability": "sql", "params": {"query": "SELECT labels.*, place FROM labels, places"},
    }  # fmt: skip
    by_kind = {
        "name": "by_kind", "over": "joined", "unit": {"group_by": ["kind"]}, "capability": "llm",
        "template": {"instructions": "Say it in short.", "input": "{{ rows.text }}"},
        "output": stage["output"],
    }  # fmt: skip
    plan |= {"stages": [stage, joined, by_kind], "result": {"table": "by_kind"}}
    return {"goal": f"Tell of {SECRET}", "plan": plan, "inputs": {"tickets": source},
            "labels": {"place": SECRET}, **more}  # fmt: skip


def dump(stack: Stack) -> bytes:
    """Return every column of every table as text, as a dump of the database would."""
    told = b""
    with psycopg.connect(stack.database_url) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        for (name,) in names:
            with connection.cursor().copy(f'COPY "{name}" TO STDOUT') as copy:  # type: ignore[arg-type]
                told += b"".join(bytes(part) for part in copy)
    return told


def chunks_of(stack: Stack, *job_ids: str) -> int:
    """Count chunks of tables that jobs made or came with: Arrow, so their text cannot be read."""
    return int(
        stack.scalar(
            "SELECT count(*) FROM table_chunks c LEFT JOIN tables t ON t.id = c.table_id"
            " WHERE t.job_id = ANY(%s) OR t.id IS NULL",
            list(job_ids),
        )
    )


def deleted(stack: Stack, job_id: str) -> dict[str, Any]:
    answer = stack.request("DELETE", f"/v1/jobs/{job_id}")
    assert answer.status == 202, answer.body
    eventually(lambda: stack.scalar(ERASED, job_id), within=20)
    return dict(answer.json)


def test_nothing_of_a_deleted_job_is_left_but_its_tombstone(stack: Stack, model: FakeModel) -> None:
    # given a final job that failed in part, and was answered under a key
    source = {"rows": rows(), "key": "id"}
    source["rows"][3]["text"] += " FAULT:bad_json"
    body = job_of(source)
    made = stack.post("/v1/jobs", body, **{"Idempotency-Key": "island"})
    job_id = made.json["id"]
    job = stack.wait(job_id)
    assert job["status"] == "partial", (job, stack.logs("worker")[-3000:])
    assert SECRET.encode() in dump(stack)
    assert chunks_of(stack, job_id) > 3

    # when it is deleted
    tombstone = deleted(stack, job_id)

    # then no text of it is there, nor a chunk, and its figures are
    assert SECRET.encode() not in dump(stack)
    assert chunks_of(stack, job_id) == 0
    assert tombstone == stack.get(f"/v1/jobs/{job_id}").json
    assert tombstone["deleted_at"] is not None
    assert (tombstone["goal"], tombstone["labels"], tombstone["result"]) == (None, {}, None)
    assert tombstone["usage"] == job["usage"]
    assert tombstone["coverage"]["units"] == job["coverage"]["units"]
    for part in PARTS:
        answer = stack.get(f"/v1/jobs/{job_id}/{part}")
        assert (answer.status, answer.json["code"]) == (410, "deleted"), part
    assert stack.post(f"/v1/jobs/{job_id}/retry").status == 410
    assert job_id not in [one["id"] for one in stack.get("/v1/jobs").json["items"]]
    actions = stack.rows("SELECT action FROM audit_log WHERE object_id = %s ORDER BY id", job_id)
    assert actions == [("job.create",), ("job.delete",)]
    again = stack.post("/v1/jobs", body, **{"Idempotency-Key": "island"})
    assert again.json == {"id": job_id}, "the key is used up, the answer is erased"

    # and its answers are no cache any more
    model.forget()
    second = stack.submit(job_of({"rows": rows(), "key": "id"}, policy={"reuse": "project"}))
    assert stack.wait(second)["status"] == "succeeded"
    assert len([call for call in model.calls() if len(call.markers) == 1]) == 20
    deleted(stack, second)
    assert SECRET.encode() not in dump(stack)


def test_tables_that_others_use_or_that_were_uploaded_stay(stack: Stack, model: FakeModel) -> None:
    # given a job over an uploaded table and rows of its own, and one that was made of it
    csv = "id,text,kind\n" + "".join(f"{n},MARK-{n:05d} here,a\n" for n in range(5))
    table = stack.request(
        "POST", "/v1/tables?key=id", csv.encode(), {"Content-Type": "text/csv"}
    ).json["id"]
    first = stack.submit(job_of({"table": table}))
    own = stack.submit(job_of({"rows": rows(6), "key": "id"}))
    assert {stack.wait(one)["status"] for one in (first, own)} == {"succeeded"}
    fork = stack.post(f"/v1/jobs/{own}/fork", {"policy": {"min_success": 0.5}}).json["id"]
    assert stack.wait(fork)["status"] == "succeeded"

    # when the first ones are deleted
    deleted(stack, first)
    deleted(stack, own)

    # then the upload is there, and the fork can still be read and retried with its inputs
    assert stack.get(f"/v1/tables/{table}/rows").status == 200
    shown = stack.get(f"/v1/jobs/{fork}/results?stage=labels&outcome=all&include=input").json
    assert [row["_apwa"]["input"][0]["text"] for row in shown["items"]] == [
        row["text"] for row in rows(6)
    ]

    # and once that one is gone too, so are the rows it shared
    deleted(stack, fork)
    assert chunks_of(stack, first, own, fork) == 0
    assert SECRET.encode() not in dump(stack)


def test_only_a_final_job_is_deleted(stack: Stack) -> None:
    job_id = stack.submit(job_of({"rows": rows(2), "key": "id"}, approval="plan"))
    answer = stack.request("DELETE", f"/v1/jobs/{job_id}")
    assert (answer.status, answer.json["code"]) == (409, "wrong_state")
    assert stack.post(f"/v1/jobs/{job_id}/cancel").status == 202
    assert stack.wait(job_id)["status"] == "cancelled"
    first = deleted(stack, job_id)
    assert stack.request("DELETE", f"/v1/jobs/{job_id}").json == first
    assert stack.request("DELETE", "/v1/jobs/job_01j00000000000000000000000").status == 404
