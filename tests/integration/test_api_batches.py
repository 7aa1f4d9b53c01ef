"""The OpenAI-compatible interface without workers: files, refusals, project walls, erasure."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from openai.types import Batch, FileObject
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from services.api.batches import lines as written
from services.collector.erase_deleted import erase_deleted
from services.collector.erase_files import erase_files, expire_files
from services.collector.finalize_job import finalize_job
from shared.actions.refusals import Gone
from shared.capabilities import builtin
from shared.database import capabilities
from shared.settings import Settings
from shared.tables.arrow import decode_chunk
from tests.integration.api_door import Api, problem

FILES, BATCHES = "/openai/v1/files", "/openai/v1/batches"
BODY = {"model": "small", "messages": [{"role": "user", "content": "Hi"}]}
ASKED = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}


def line(custom_id: str, **changes: Any) -> str:
    told = {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": BODY}
    return json.dumps({**told, **changes})


LINES = "".join(f"{line(f'r{no}')}\n" for no in range(3))


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(replace(settings, openai_base_url="http://127.0.0.1:1/v1", model="small"), database)
    with database.begin() as connection:
        capabilities.publish(connection, [builtin.manifests()["chat"].to_json()])
    yield made
    made.close()


def upload(api: Api, content: str | bytes = LINES, **rest: Any) -> TestResponse:
    raw = content.encode() if isinstance(content, str) else content
    fields = rest.pop("fields", {"purpose": "batch"})
    form = {**fields, "file": (io.BytesIO(raw), rest.pop("name", "asked.jsonl"))}
    return api.post(FILES, data=form, content_type="multipart/form-data", **rest)


def uploaded(api: Api, content: str | bytes = LINES) -> str:
    answer = upload(api, content)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["id"])


def test_a_file_is_given_back_byte_for_byte(api: Api) -> None:
    content = f"\ufeff\r\n{line('a')}\r\n\n \n{line('ü', extra=1)}\n\n".encode()

    made = upload(api, content)

    assert made.status_code == 201, made.text
    told = made.get_json()
    file = FileObject.model_validate(told)
    assert (file.bytes, file.filename, file.purpose) == (len(content), "asked.jsonl", "batch")
    assert made.headers["Location"] == f"{FILES}/{file.id}"
    found = api.get(f"{FILES}/{file.id}/content")
    assert found.data == content
    assert int(found.headers["Content-Length"]) == len(content)
    assert api.get(f"{FILES}/{file.id}").get_json() == told
    assert file.expires_at is not None


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/purpose"),
        ({"purpose": "vision"}, "/purpose"),
        ({"purpose": "batch", "colour": "red"}, "/colour"),
        (
            {"purpose": "batch", "expires_after[anchor]": "created_at",
             "expires_after[seconds]": "5"},
            "/expires_after/seconds",
        ),
        ({"purpose": "batch", "expires_after[seconds]": "x"}, "/expires_after/seconds"),
    ],
)  # fmt: skip
def test_a_form_that_is_not_understood_leaves_nothing(
    api: Api, fields: dict[str, str], pointer: str
) -> None:
    problem(upload(api, fields=fields), 422, "invalid", pointer)

    assert api.get(FILES).get_json()["data"] == []


@pytest.mark.parametrize("content", [b"", b"\n \n", b'{"custom_id": "\xff"}\n'])
def test_a_file_that_cannot_be_stored_leaves_nothing(api: Api, content: bytes) -> None:
    before = api.kept()

    problem(upload(api, content), 422, "unreadable", "/file")

    assert api.kept() == before


def test_a_missing_file_and_other_media_types_are_refused(api: Api) -> None:
    form = {"purpose": "batch"}
    problem(
        api.post(FILES, data=form, content_type="multipart/form-data; boundary=x"), 422, "invalid"
    )
    problem(api.post(FILES, json=form), 415, "unsupported_media_type")


def test_an_upload_over_the_limit_is_refused(settings: Settings, database: Engine) -> None:
    api = Api(replace(settings, upload_max_bytes=2_000), database)

    body = problem(upload(api, LINES * 20), 413, "too_large")

    assert body["error"]["code"] == "too_large"
    assert api.get(FILES).get_json()["data"] == []
    api.close()


def test_a_file_with_bad_lines_gives_a_batch_that_says_which(api: Api) -> None:
    lines = [
        line("a"), "not JSON", line("b", url="/v1/embeddings"), "", line("a"), line("c", body=None),
        line("d", body={**BODY, "model": "unheard-of"}), line("e"),
        line("f", body={**BODY, "model": "unheard-of"}),
    ]  # fmt: skip
    file_id = uploaded(api, "\n".join(lines))
    assert api.get(f"{FILES}/{file_id}").get_json()["status"] == "error"

    made = api.post(BATCHES, json={**ASKED, "input_file_id": file_id, "metadata": {"a": "b"}})

    assert made.status_code == 201, made.text
    batch = Batch.model_validate(made.get_json())
    assert batch.status == "failed"
    assert batch.failed_at is not None
    assert batch.metadata == {"a": "b"}
    assert batch.errors is not None
    assert [(one.line, one.code, one.param) for one in batch.errors.data or []] == [
        (2, "invalid_json_line", None),
        (3, "invalid_url", "url"),
        (5, "duplicate_custom_id", "custom_id"),
        (6, "missing_required_parameter", "body"),
        (7, "model_not_found", "body.model"),
    ]
    assert "and 1 more" in str((batch.errors.data or [])[-1].message)
    assert api.get("/v1/jobs").get_json()["items"] == []
    problem(api.post(f"{BATCHES}/{batch.id}/cancel"), 409, "wrong_state")
    assert api.get(f"{FILES}/{file_id}/content").text == "\n".join(lines)


def test_only_so_many_bad_lines_are_told_one_by_one(api: Api) -> None:
    file_id = uploaded(api, "x\n" * 500)

    batch = api.post(BATCHES, json={**ASKED, "input_file_id": file_id}).get_json()

    assert len(batch["errors"]["data"]) == 201
    assert batch["errors"]["data"][-1]["message"].startswith("500 lines cannot be run")
    assert batch["request_counts"] == {"total": 500, "completed": 0, "failed": 0}


def test_a_batch_is_a_job_whose_labels_are_the_metadata(api: Api) -> None:
    file_id = uploaded(api)

    made = api.post(BATCHES, json={**ASKED, "input_file_id": file_id, "metadata": {"a": "b"}})

    assert made.status_code == 201, made.text
    told = made.get_json()
    batch = Batch.model_validate(told)
    assert (batch.status, batch.model, batch.metadata) == ("validating", "small", {"a": "b"})
    assert (batch.output_file_id, batch.error_file_id, batch.expires_at) == (None, None, None)
    assert told["request_counts"] == {"total": 3, "completed": 0, "failed": 0}
    job = api.get(f"/v1/jobs/{told['apwa']['job']}").get_json()
    assert job["labels"] == {"a": "b"}
    assert made.headers["Location"] == f"{BATCHES}/{batch.id}"
    assert api.get(made.headers["Location"]).get_json() == told


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"endpoint": "/v1/embeddings"}, "/endpoint"),
        ({"endpoint": None}, "/endpoint"),
        ({"completion_window": "soon"}, "/completion_window"),
        ({"colour": "red"}, "/colour"),
        ({"metadata": {"k" * 65: "v"}}, f"/metadata/{'k' * 65}"),
        ({"metadata": {"k": 1}}, "/metadata/k"),
        ({"metadata": {str(no): "" for no in range(17)}}, "/metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}},
         "/output_expires_after/seconds"),
    ],
)  # fmt: skip
def test_a_batch_that_is_not_understood_is_refused(
    api: Api, changes: dict[str, Any], pointer: str
) -> None:
    body = {**ASKED, "input_file_id": uploaded(api), **changes}

    told = problem(api.post(BATCHES, json=body), 422, "invalid", pointer)

    assert told["error"]["type"] == "invalid_request_error"
    assert told["error"]["param"] == pointer[1:].replace("/", ".")
    assert api.get(BATCHES).get_json()["data"] == []


def test_a_batch_over_no_file_is_not_found(api: Api) -> None:
    for unknown in ("file-abc", "fil_00000000000000000000000000"):
        body = {**ASKED, "input_file_id": unknown}
        problem(api.post(BATCHES, json=body), 404, "not_found", "/input_file_id")


def test_another_projects_files_and_batches_do_not_exist(api: Api) -> None:
    file_id = uploaded(api)
    batch = api.post(BATCHES, json={**ASKED, "input_file_id": file_id}).get_json()
    there = {"headers": {"Authorization": f"Bearer {api.other}"}}
    unknown = "00000000000000000000000000"
    pairs = [
        ("GET", f"{FILES}/{file_id}", f"{FILES}/fil_{unknown}"),
        ("GET", f"{FILES}/{file_id}/content", f"{FILES}/fil_{unknown}/content"),
        ("DELETE", f"{FILES}/{file_id}", f"{FILES}/fil_{unknown}"),
        ("GET", f"{BATCHES}/{batch['id']}", f"{BATCHES}/bat_{unknown}"),
        ("POST", f"{BATCHES}/{batch['id']}/cancel", f"{BATCHES}/bat_{unknown}/cancel"),
    ]

    for method, theirs, nobodys in pairs:
        told = problem(api.send(method, theirs, **there), 404, "not_found")
        other = problem(api.send(method, nobodys, **there), 404, "not_found")
        assert {**told, "request_id": ""} == {**other, "request_id": ""}
    problem(api.post(BATCHES, json={**ASKED, "input_file_id": file_id}, **there), 404, "not_found")
    assert api.get(FILES, **there).get_json()["data"] == []
    assert api.get(BATCHES, **there).get_json()["data"] == []


def test_lists_are_paged_as_the_package_pages_them(api: Api) -> None:
    files = [uploaded(api) for _ in range(3)]
    made = [
        api.post(BATCHES, json={**ASKED, "input_file_id": one}).get_json()["id"] for one in files
    ]

    for path, ids in ((FILES, files), (BATCHES, made)):
        newest = sorted(ids, reverse=True)
        page = api.get(f"{path}?limit=2").get_json()
        assert [one["id"] for one in page["data"]] == newest[:2]
        assert (page["has_more"], page["last_id"]) == (True, newest[1])
        rest = api.get(f"{path}?limit=2&after={page['last_id']}").get_json()
        assert [one["id"] for one in rest["data"]] == newest[2:]
        assert rest["has_more"] is False
        for bad in ("limit=0", "limit=x", "after=x", "after=job_0", "colour=red"):
            problem(api.get(f"{path}?{bad}"), 422, "invalid")
    oldest = api.get(f"{FILES}?order=asc").get_json()["data"]
    assert [one["id"] for one in oldest] == sorted(files)
    assert api.get(f"{FILES}?purpose=batch_output").get_json()["data"] == []


def test_the_same_key_makes_one_file_and_one_batch(api: Api) -> None:
    key = {"headers": {"Idempotency-Key": "k1"}}
    first, again = upload(api, **key), upload(api, **key)
    assert first.get_json() == again.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    problem(upload(api, LINES + "\n", **key), 422, "idempotency_key_reused")

    body = {**ASKED, "input_file_id": first.get_json()["id"]}
    key = {"headers": {"Idempotency-Key": "k2"}}
    made = [api.post(BATCHES, json=body, **key).get_json()["id"] for _ in range(2)]
    assert made[0] == made[1]
    assert len(api.get(BATCHES).get_json()["data"]) == 1


def test_models_are_what_a_line_may_name(api: Api) -> None:
    found = api.get("/openai/v1/models").get_json()
    assert [one["id"] for one in found["data"]] == [
        "default",
        "judge",
        "planner",
        "small",
        "worker",
    ]
    assert api.get("/openai/v1/models/small").get_json()["owned_by"] == "default"
    told = problem(api.get("/openai/v1/models/org/large"), 404, "not_found")
    assert told["error"]["message"] == "There is no such model."


def test_errors_are_problems_the_package_can_read(api: Api) -> None:
    told = problem(api.post("/openai/v1/chat/completions", json={}), 404, "not_found")
    assert set(told["error"]) == {"message", "type", "code", "param"}
    none = problem(api.client.get(FILES), 401, "unauthorized")
    assert none["error"]["type"] == "authentication_error"
    viewer = {"headers": {"Authorization": f"Bearer {api.key_with('tables:read')}"}}
    less = problem(upload(api, **viewer), 403, "missing_scope")
    assert less["error"]["type"] == "permission_error"
    assert "error" not in problem(api.get("/v1/nothing"), 404, "not_found")


def test_a_file_is_held_while_its_batch_runs_and_erased_after(api: Api) -> None:
    file_id = uploaded(api)
    batch = api.post(BATCHES, json={**ASKED, "input_file_id": file_id}).get_json()
    problem(api.send("DELETE", f"{FILES}/{file_id}"), 409, "file_in_use")
    stopped = api.post(f"{BATCHES}/{batch['id']}/cancel").get_json()
    assert (stopped["status"], stopped["cancelling_at"] is not None) == ("cancelling", True)
    again = api.post(f"{BATCHES}/{batch['id']}/cancel").get_json()
    assert again == stopped
    _finish(api)

    # the batch is kept, so of the file only the custom ids stay
    gone = api.send("DELETE", f"{FILES}/{file_id}")
    assert gone.get_json() == {"id": file_id, "object": "file", "deleted": True}
    problem(api.get(f"{FILES}/{file_id}"), 404, "not_found")
    erase_files(api.database)
    batch = api.get(f"{BATCHES}/{batch['id']}").get_json()
    assert (batch["status"], batch["output_file_id"]) == ("cancelled", None)
    errors = api.get(f"{FILES}/{batch['error_file_id']}/content").text.splitlines()
    told = [json.loads(one) for one in errors]
    assert [one["custom_id"] for one in told] == ["r0", "r1", "r2"]
    assert {one["error"]["code"] for one in told} == {"batch_cancelled"}
    assert _stored(api, "Hi") is False

    # with the last file of the batch goes its job, and then the ids
    listed = api.get(f"{FILES}?purpose=batch_output").get_json()["data"]
    assert [one["id"] for one in listed] == [batch["error_file_id"]]
    assert api.get(f"{FILES}/{listed[0]['id']}").get_json()["bytes"] == sum(
        len(one) + 1 for one in errors
    )
    assert api.send("DELETE", f"{FILES}/{batch['error_file_id']}").status_code == 200
    erase_deleted(api.database)
    erase_files(api.database)
    with api.database.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM table_chunks")).scalar_one() == 0
    kept = api.get(f"{BATCHES}/{batch['id']}").get_json()
    assert (kept["status"], kept["error_file_id"]) == ("cancelled", None)


def test_lines_that_are_sent_break_off_when_their_batch_is_deleted(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given lines that are on their way when the job of their batch is deleted
    monkeypatch.setattr(written, "UNITS_AT_ONCE", 1)
    batch = api.post(BATCHES, json={**ASKED, "input_file_id": uploaded(api)}).get_json()
    api.post(f"{BATCHES}/{batch['id']}/cancel")
    _finish(api)
    batch = api.get(f"{BATCHES}/{batch['id']}").get_json()
    sent = api.get(f"{FILES}/{batch['error_file_id']}/content")
    assert sent.status_code == 200
    assert api.send("DELETE", f"/v1/jobs/{batch['apwa']['job']}").status_code == 202

    # then what was sent must not look like all there was
    with pytest.raises(Gone):
        sent.get_data()


def test_a_deleted_file_nobody_used_leaves_nothing(api: Api) -> None:
    file_id = uploaded(api)

    assert api.send("DELETE", f"{FILES}/{file_id}").status_code == 200
    problem(api.post(BATCHES, json={**ASKED, "input_file_id": file_id}), 404, "not_found")
    erase_files(api.database)

    with api.database.connect() as connection:
        for table in ("table_chunks", "batch_files"):
            found = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608
            assert found == 0, table


def test_a_file_past_its_time_is_gone_and_then_erased(api: Api) -> None:
    file_id = uploaded(api)
    with api.database.begin() as connection:
        connection.execute(text("UPDATE batch_files SET keep_s = 0"))

    problem(api.get(f"{FILES}/{file_id}"), 404, "not_found")
    assert api.get(FILES).get_json()["data"] == []
    expire_files(api.database)
    erase_files(api.database)

    with api.database.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM batch_files")).scalar_one() == 0
        told = connection.execute(text("SELECT actor FROM audit_log WHERE action = 'file.delete'"))
        assert told.scalars().all() == ["system"]


def test_a_file_is_no_table_of_the_project(api: Api) -> None:
    uploaded(api)

    assert api.get("/v1/tables").get_json()["items"] == []


def _finish(api: Api) -> None:
    """Write the record of the cancelled job, as the collector does."""
    with api.database.begin() as tx:
        [job_id] = tx.execute(text("SELECT id FROM jobs WHERE finished_at IS NULL")).scalars()
        assert finalize_job(tx, job_id) == "finished"


def _stored(api: Api, word: str) -> bool:
    """Return True when some stored chunk still holds a word."""
    with api.database.connect() as connection:
        chunks = connection.execute(text("SELECT data FROM table_chunks")).scalars().all()
    return any(word in str(decode_chunk(bytes(data)).to_pylist()) for data in chunks)
