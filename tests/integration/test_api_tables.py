"""Uploading, reading and erasing tables through the interface."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, text

from shared.settings import Settings
from tests import files
from tests.integration.api_door import Api, problem


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def upload(api: Api, body: Any, kind: str = "text/csv", query: str = "") -> dict[str, Any]:
    answer = api.post(f"/v1/tables{query}", data=body, content_type=kind)
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def rows(api: Api, table: dict[str, Any], query: str = "") -> Any:
    return api.get(f"/v1/tables/{table['id']}/rows{query}").get_json()["items"]


def test_every_format_is_read_as_what_it_is(api: Api) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", None]}), sink)
    expected = [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    given = {
        "text/csv": b"a,b\n1,x\n2,\n",
        "application/json": json.dumps(expected).encode(),
        "application/x-ndjson": b'{"a": 1, "b": "x"}\n{"a": 2}\n',
        "application/vnd.apache.parquet": sink.getvalue(),
    }
    for kind, body in given.items():
        assert rows(api, upload(api, body, kind)) == expected, kind


def test_the_name_tells_the_format_where_the_media_type_does_not(api: Api) -> None:
    table = upload(api, b"a,b\n1,x\n", "application/octet-stream", "?name=t.csv")
    assert rows(api, table) == [{"a": 1, "b": "x"}]
    assert table["name"] == "t.csv"
    text_table = upload(api, b"a,b\n1,x\n", "text/csv", "?format=txt")
    assert rows(api, text_table)[0]["text"] == "a,b\n1,x\n"


def test_a_file_in_a_multipart_body_is_a_table(api: Api) -> None:
    table = upload(api, {"file": (io.BytesIO(b"a\n1\n"), "../../etc/t.csv")}, "multipart/form-data")
    assert rows(api, table) == [{"a": 1}]


def test_several_files_are_one_row_per_document_under_their_own_names(api: Api) -> None:
    files = [
        (io.BytesIO(b"one"), "b/../x.txt"),
        (io.BytesIO(b"<html><title>T</title><body><p>two</p></body></html>"), "page.html"),
        (io.BytesIO(b"\x7fELF" + b"\0" * 600), "tool.txt"),
    ]
    table = upload(api, {"file": files}, "multipart/form-data", "?name=docs")
    found = rows(api, table)
    assert [row["name"] for row in found] == ["b/../x.txt", "page.html"]
    assert found[0]["text"] == "one"
    assert found[1]["title"] == "T"
    assert table["report"]["unreadable"] == 1
    assert table["report"]["samples"][0]["reason"].startswith("tool.txt: ")


def test_documents_workbooks_archives_and_images_become_tables(api: Api) -> None:
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    anything = "application/octet-stream"
    book = files.xlsx(One=[["a"], [1]], Two=[["b"], [2]])
    given: list[tuple[bytes, str, str, list[str]]] = [
        (files.pdf("x"), "application/pdf", "", ["name", "title", "text", "pages"]),
        (files.pdf("x"), anything, "?format=pdf-pages", ["name", "title", "page", "text"]),
        (files.docx("x"), word, "", ["name", "title", "text"]),
        (book, anything, "?sheet=Two", ["b"]),
        (b"<r><i n='1'/><i n='2'/></r>", "application/xml", "", ["n"]),
        (files.zipped({"a.csv": b"a\n1\n", "b.csv": b"b\n1\n"}), "application/zip", "",
         ["member", "a", "b"]),
        (files.image(), "image/png", "", ["name", "mime", "width", "height", "image"]),
    ]  # fmt: skip
    for body, kind, query, columns in given:
        table = upload(api, body, kind, query)
        assert [column["name"] for column in table["columns"]] == columns, kind
    photos = {"file": [(io.BytesIO(files.image()), f"{n}.png") for n in range(2)]}
    table = upload(api, photos, "multipart/form-data")
    assert [row["name"] for row in rows(api, table)] == ["0.png", "1.png"]
    assert table["report"]["dialect"] is None


def test_a_job_takes_files_of_these_kinds_in_its_body(api: Api) -> None:
    book = files.xlsx(One=[["a"], [1]], Two=[["text"], ["mail a@example.com"]])
    job = {"goal": "Redact all personal data", "inputs": {"tickets": {"sheet": "Two"}}}
    sent = {"job": json.dumps(job), "tickets": (io.BytesIO(book), "tickets.xlsx")}

    answer = api.post("/v1/jobs", data=sent, content_type="multipart/form-data")

    assert answer.status_code == 202, answer.text
    [table] = api.get("/v1/tables").get_json()["items"]
    assert [column["name"] for column in table["columns"]] == ["text"]
    assert table["report"]["dialect"]["other_sheets"] == ["One"]


def test_hundreds_of_files_in_one_body_are_read(api: Api) -> None:
    files = [(io.BytesIO(b"text %d" % n), f"{n}.txt") for n in range(1_500)]
    table = upload(api, {"file": files}, "multipart/form-data")
    assert table["rows"] == 1_500


def test_a_table_tells_columns_statistics_and_sample(api: Api) -> None:
    table = upload(api, b"id,when\n1,2030-01-02\n2,\n", query="?key=id")
    assert table["columns"] == [
        {"name": "id", "type": "integer"},
        {"name": "when", "type": "date"},
    ]
    assert table["key"] == "id"
    assert table["statistics"]["when"]["nulls"] == 1
    assert table["sample"][0]["id"] == 1
    assert api.get(f"/v1/tables/{table['id']}").get_json() == table


def test_rows_come_in_pages_and_as_files(api: Api) -> None:
    body = b"id\n" + b"".join(b"%d\n" % n for n in range(2_500))
    table = upload(api, body)
    path = f"/v1/tables/{table['id']}/rows"
    seen: list[int] = []
    query = "?limit=1000"
    while query:
        page = api.get(path + query).get_json()
        seen += [row["id"] for row in page["items"]]
        query = f"?limit=1000&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == list(range(2_500))
    lines = api.get(f"{path}?format=jsonl").data.splitlines()
    assert [json.loads(line)["id"] for line in lines] == seen
    assert api.get(f"{path}?format=csv").text.split() == ["id", *map(str, seen)]
    parquet = pq.read_table(io.BytesIO(api.get(f"{path}?format=parquet").data))
    assert parquet.column("id").to_pylist() == seen


def test_tables_are_listed_newest_first_without_their_statistics(api: Api) -> None:
    made = [upload(api, b"a\n1\n")["id"] for _ in range(3)]
    first = api.get("/v1/tables?limit=2").get_json()
    rest = api.get(f"/v1/tables?limit=2&cursor={first['next_cursor']}").get_json()
    listed = first["items"] + rest["items"]
    assert [table["id"] for table in listed] == sorted(made, reverse=True)
    assert "statistics" not in listed[0]


def test_an_erased_table_is_gone(api: Api) -> None:
    table = upload(api, b"a\n1\n")
    path = f"/v1/tables/{table['id']}"
    assert api.send("DELETE", path).status_code == 204
    for answer in (api.get(path), api.get(f"{path}/rows"), api.send("DELETE", path)):
        problem(answer, 404, "not_found")
    given = {"goal": "x", "inputs": {"t": {"table": table["id"]}}}
    problem(api.post("/v1/jobs", json=given), 404, "not_found")
    assert api.kept()["table_chunks"] == 0
    with api.database.connect() as connection:
        actions = connection.execute(
            text("SELECT action FROM audit_log WHERE object_id = :id ORDER BY id"),
            {"id": table["id"]},
        ).scalars()
        assert list(actions) == ["table.create", "table.erase"]


def test_a_table_in_use_is_not_erased(api: Api) -> None:
    table = upload(api, b"a\n1\n")
    job = api.submit(plan=None, goal="x", inputs={"t": {"table": table["id"]}})
    problem(api.send("DELETE", f"/v1/tables/{table['id']}"), 409, "table_in_use")
    with api.database.begin() as connection:
        ended = text("UPDATE jobs SET status = 'failed', finished_at = now() WHERE id = :id")
        connection.execute(ended, {"id": job["id"]})
    assert api.send("DELETE", f"/v1/tables/{table['id']}").status_code == 204


def test_a_refused_upload_leaves_nothing(api: Api) -> None:
    before = api.kept()
    body = b"id\n" + b"".join(b"%d\n" % n for n in range(50_000)) + b"0\n"
    answer = api.post("/v1/tables?key=id", data=body, content_type="text/csv")
    problem(answer, 422, "key_not_unique")
    assert api.kept() == before
