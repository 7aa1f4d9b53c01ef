"""Bad input: each gets its status, code and pointer, and nothing of it is kept."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from shared.actions.keys import create_key, revoke_key
from shared.settings import Settings
from tests.integration.api_door import JOB, NOT_HERE, REDACT_PLAN, TICKETS, Api, problem

UNKNOWN_JOB = "job_" + "0" * 26
UNKNOWN_TABLE = "tbl_" + "0" * 26


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


@dataclass(frozen=True)
class Case:
    """One row of the table of bad input."""

    name: str
    send: Callable[[Api], TestResponse]
    status: int
    code: str
    pointer: str | None = None


def job(**changes: Any) -> Callable[[Api], TestResponse]:
    return lambda api: api.post("/v1/jobs", json={**JOB, **changes})


def raw(body: bytes, **headers: str) -> Callable[[Api], TestResponse]:
    sent = {"Content-Type": "application/json", **headers}
    return lambda api: api.post("/v1/jobs", data=body, headers=sent)


def inputs(**given: Any) -> Callable[[Api], TestResponse]:
    return lambda api: api.post("/v1/jobs", json={"goal": "redact", "inputs": given})


STREAM: dict[str, Any] = {"stream": True, "columns": {"id": "integer"}, "key": "id"}


def stream(**given: Any) -> Callable[[Api], TestResponse]:
    return inputs(t={**STREAM, **given})


def rows(*given: Any) -> Callable[[Api], TestResponse]:
    body = {"goal": "redact", "inputs": {"t": {"rows": list(given)}}}
    return lambda api: api.post(
        "/v1/jobs", data=json.dumps(body), headers={"Content-Type": "application/json"}
    )


def get(path: str) -> Callable[[Api], TestResponse]:
    return lambda api: api.get(path)


def upload(
    body: bytes, query: str = "", kind: str = "text/csv", coding: str = "identity"
) -> Callable[[Api], TestResponse]:
    headers = {"Content-Type": kind, "Content-Encoding": coding}
    return lambda api: api.post(f"/v1/tables{query}", data=body, headers=headers)


def wide_csv(columns: int) -> bytes:
    names = b",".join([b"c%d" % n for n in range(columns)])
    return names + b"\n" + b",".join([b"1"] * columns)


def plan(**changes: Any) -> Callable[[Api], TestResponse]:
    stage = {**REDACT_PLAN["stages"][0], **changes.pop("stage", {})}
    return job(plan={**REDACT_PLAN, "stages": [stage], **changes})


def sql(query: str) -> Callable[[Api], TestResponse]:
    return plan(stage={"capability": "sql", "unit": {"table": True}, "params": {"query": query}})


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def truncated_parquet() -> bytes:
    return b"PAR1" + b"\x15\x04" * 200


BODIES = [
    Case("not json", raw(b"{goal}"), 400, "invalid_json"),
    Case("truncated", raw(b'{"goal": "x"'), 400, "invalid_json"),
    Case("empty", raw(b""), 400, "invalid_json"),
    Case("NaN", raw(b'{"goal": NaN}'), 400, "invalid_json"),
    Case("Infinity", raw(b'{"goal": -Infinity}'), 400, "invalid_json"),
    Case("duplicate keys", raw(b'{"goal": "x", "goal": "y"}'), 400, "invalid_json"),
    Case("100 kB of brackets", raw(b"[" * 100_000), 400, "invalid_json"),
    Case("100 kB of closed brackets", raw(b"[" * 50_000 + b"]" * 50_000), 400, "invalid_json"),
    Case("deep objects", raw(b'{"a":' * 20_000 + b"1" + b"}" * 20_000), 400, "invalid_json"),
    Case("byte order mark", raw(b"\xef\xbb\xbf" + b'{"goal": "x"}'), 400, "invalid_json"),
    Case("utf-16", raw('{"goal": "x"}'.encode("utf-16")), 400, "invalid_json"),
    Case("latin-1 bytes", raw('{"goal": "é"}'.encode("latin-1")), 400, "invalid_json"),
    Case(
        "declared latin-1",
        raw(b'{"goal": "x"}', **{"Content-Type": "application/json; charset=latin-1"}),
        400,
        "invalid_json",
    ),
    Case("two values", raw(b'{"goal": "x"} {}'), 400, "invalid_json"),
    Case("no content type", raw(b"{}", **{"Content-Type": ""}), 415, "unsupported_media_type"),
    Case(
        "form encoded",
        raw(b"{}", **{"Content-Type": "application/x-www-form-urlencoded"}),
        415,
        "unsupported_media_type",
    ),
    Case(
        "compressed",
        raw(b"\x1f\x8b", **{"Content-Encoding": "gzip"}),
        415,
        "unsupported_media_type",
    ),
    Case("odd coding", raw(b"{}", **{"Content-Encoding": "rot13"}), 415, "unsupported_media_type"),
]

FIELDS = [
    Case("a list", raw(b"[]"), 422, "invalid", ""),
    Case("a number", raw(b"1"), 422, "invalid", ""),
    Case("null", raw(b"null"), 422, "invalid", ""),
    Case("unknown field", job(gaol="x"), 422, "invalid", "/gaol"),
    Case("unknown policy", job(policy={"prio": 1}), 422, "invalid", "/policy/prio"),
    Case("goal is a number", job(goal=1), 422, "invalid", "/goal"),
    Case("nothing to do", raw(b'{"inputs": {}}'), 422, "invalid", "/goal"),
    Case("plan and workflow", job(workflow="w"), 422, "invalid", "/workflow"),
    Case("workflow", raw(b'{"workflow": "w"}'), 422, "invalid", "/workflow"),
    Case(
        "negative budget", job(policy={"budget": {"usd": -1}}), 422, "invalid", "/policy/budget/usd"
    ),
    Case(
        "boolean budget",
        job(policy={"budget": {"usd": True}}),
        422,
        "invalid",
        "/policy/budget/usd",
    ),
    Case(
        "huge number",
        raw(b'{"goal": "x", "policy": {"budget": {"usd": 1e999}}}'),
        422,
        "invalid",
        "/policy/budget/usd",
    ),
    Case("priority 11", job(policy={"priority": 11}), 422, "invalid", "/policy/priority"),
    Case("priority 1.5", job(policy={"priority": 1.5}), 422, "invalid", "/policy/priority"),
    Case("min_success 2", job(policy={"min_success": 2}), 422, "invalid", "/policy/min_success"),
    Case("300 labels", job(labels={f"l{n}": "x" for n in range(300)}), 422, "invalid", "/labels"),
    Case("label of 10 kB", job(labels={"l": "x" * 10_000}), 422, "invalid", "/labels/l"),
    Case("label is a number", job(labels={"l": 1}), 422, "invalid", "/labels/l"),
    Case("label with NUL", job(labels={"l": "a\0"}), 422, "invalid", "/labels/l"),
    Case("empty goal", job(goal=""), 422, "invalid", "/goal"),
    Case("blank goal", job(goal=" \n\t "), 422, "invalid", "/goal"),
    Case("goal of 1 MB", job(goal="x" * 1_000_000), 422, "invalid", "/goal"),
    Case("goal with NUL", job(goal="a\0b"), 422, "invalid", "/goal"),
    Case("goal with a surrogate", raw(b'{"goal": "\\ud800"}'), 422, "invalid", "/goal"),
    Case("output is text", job(output="x"), 422, "invalid", "/output"),
    Case("planning unknown", job(planning="magic"), 422, "invalid", "/planning"),
    Case(
        "given without plan",
        job(goal="x", plan=None, planning="given"),
        422,
        "invalid",
        "/planning",
    ),
]

MODELS = [
    Case("approval unknown", job(approval="maybe"), 422, "invalid", "/approval"),
    Case("model is a number", job(models={"worker": 1}), 422, "invalid", "/models/worker"),
    Case("model is empty", job(models={"planner": ""}), 422, "invalid", "/models/planner"),
    Case("model of nobody", job(models={"boss": "m"}), 422, "invalid", "/models/boss"),
    Case("a plan to be planned", job(planning="model"), 422, "invalid", "/planning"),
    Case("pilot of none", job(pilot={"units": 0}), 422, "invalid", "/pilot/units"),
    Case("pilot of half", job(pilot={"units": 1.5}), 422, "invalid", "/pilot/units"),
    Case("pilot unlimited", job(pilot={"auto_approve": {}}), 422, "invalid", "/pilot/auto_approve"),
    Case(
        "pilot for less than nothing",
        job(pilot={"auto_approve": {"max_usd": -1}}),
        422,
        "invalid",
        "/pilot/auto_approve/max_usd",
    ),
    Case("on_budget unknown", job(policy={"on_budget": "x"}), 422, "invalid", "/policy/on_budget"),
    Case(
        "negative seconds",
        job(policy={"budget": {"seconds": -1}}),
        422,
        "invalid",
        "/policy/budget/seconds",
    ),
]

LATER = [
    Case("webhook", job(webhook={"url": "http://x"}), 422, "invalid", "/webhook"),
    Case("deadline", job(policy={"deadline_s": 0}), 422, "invalid", "/policy/deadline_s"),
    Case("url input", inputs(t={"url": "http://127.0.0.1/"}), 422, "invalid", "/inputs/t/url"),
    Case(
        "stream without columns",
        inputs(t={"stream": True, "key": "id"}),
        422,
        "invalid",
        "/inputs/t/columns",
    ),
    Case(
        "stream without key",
        inputs(t={"stream": True, "columns": {"id": "integer"}}),
        422,
        "invalid",
        "/inputs/t/key",
    ),
    Case("stream keyed by no column", stream(key="x"), 422, "invalid", "/inputs/t/key"),
    Case(
        "stream keyed by a number",
        stream(columns={"id": "number"}),
        422,
        "invalid",
        "/inputs/t/key",
    ),
    Case(
        "column of no type",
        stream(columns={"id": "integer", "a": "int"}),
        422,
        "invalid",
        "/inputs/t/columns/a",
    ),
    Case(
        "column without a name",
        stream(columns={"id": "integer", "": "string"}),
        422,
        "invalid",
        "/inputs/t/columns/",
    ),
    Case("stream from a table", stream(table=UNKNOWN_TABLE), 422, "invalid", "/inputs/t/table"),
    Case("stream from a text", stream(text="x"), 422, "invalid", "/inputs/t/text"),
    Case(
        "stream row of another type",
        stream(rows=[{"id": 1}, {"id": "b"}]),
        422,
        "invalid",
        "/inputs/t/rows/1/id",
    ),
    Case(
        "stream row of another column",
        stream(rows=[{"id": 1, "z": 2}]),
        422,
        "invalid",
        "/inputs/t/rows/0/z",
    ),
    Case(
        "stream rows with one key",
        stream(rows=[{"id": 1}, {"id": 1}]),
        422,
        "key_not_unique",
        "/inputs/t/key",
    ),
    Case(
        "columns without a stream",
        inputs(t={"rows": [], "columns": {"id": "integer"}}),
        422,
        "invalid",
        "/inputs/t/columns",
    ),
    Case("two streams", inputs(t=STREAM, u=STREAM), 422, "invalid", "/inputs/u/stream"),
    Case(
        "pilot of a stream",
        job(inputs={"tickets": STREAM}, pilot={"units": 2}),
        422,
        "invalid",
        "/pilot",
    ),
]

INPUTS = [
    Case("dots", inputs(**{"a.b": {"rows": []}}), 422, "invalid", "/inputs/a.b"),
    Case("slashes", inputs(**{"a/b": {"rows": []}}), 422, "invalid", "/inputs/a~1b"),
    Case("300 characters", inputs(**{"a" * 300: {"rows": []}}), 422, "invalid"),
    Case("reserved", inputs(rows={"rows": []}), 422, "invalid", "/inputs/rows"),
    Case("two sources", inputs(t={"rows": [], "text": "x"}), 422, "invalid", "/inputs/t"),
    Case("no source", inputs(t={}), 422, "invalid", "/inputs/t"),
    Case("unknown source", inputs(t={"ftp": "x"}), 422, "invalid", "/inputs/t/ftp"),
    Case("not an object", inputs(t=[]), 422, "invalid", "/inputs/t"),
    Case("unknown table", inputs(t={"table": UNKNOWN_TABLE}), 404, "not_found", "/inputs/t/table"),
    Case("an id of another kind", inputs(t={"table": UNKNOWN_JOB}), 404, "not_found"),
    Case("rows not a list", inputs(t={"rows": {}}), 422, "invalid", "/inputs/t/rows"),
    Case("row not an object", rows({"a": 1}, 5), 422, "invalid", "/inputs/t/rows/1"),
    Case("nested 200 deep", rows({"a": nested(200)}), 422, "invalid"),
    Case("400 digits", rows({"a": 10**399}), 422, "invalid", "/inputs/t/rows/0/a"),
    Case(
        "5000 digits",
        raw(b'{"goal": "x", "inputs": {"t": {"rows": [{"a": %s}]}}}' % (b"9" * 5_000)),
        422,
        "invalid",
        "/inputs/t/rows/0/a",
    ),
    Case("lone surrogate", rows({"a": "\ud800"}), 422, "invalid", "/inputs/t/rows/0/a"),
    Case("NUL in a row", rows({"a": "\0"}), 422, "invalid", "/inputs/t/rows/0/a"),
    Case(
        "key is no column",
        inputs(t={"rows": [{"a": 1}], "key": "b"}),
        422,
        "invalid",
        "/inputs/t/key",
    ),
    Case(
        "key repeats",
        inputs(t={"rows": [{"a": 1}, {"a": 1}], "key": "a"}),
        422,
        "key_not_unique",
        "/inputs/t/key",
    ),
    Case(
        "key is null",
        inputs(t={"rows": [{"a": 1}, {"b": 2}], "key": "a"}),
        422,
        "key_not_unique",
        "/inputs/t/key",
    ),
    Case("blank text", inputs(t={"text": " "}), 422, "invalid", "/inputs/t/text"),
]

PLANS = [
    ("invalid", "/plan", job(plan="x")),
    ("missing_field", "/plan/stages", job(plan={})),
    ("unknown_field", "/plan/stages/0/colour", plan(stage={"colour": 1})),
    ("invalid", "/plan/brief", plan(brief="a\0")),
    ("too_deep", None, plan(stage={"params": {"field": nested(100)}})),
    ("unknown_table", "/plan/stages/0/over", plan(stage={"over": "tikets"})),
    ("unknown_column", None, plan(stage={"params": {"field": "body"}})),
    ("unknown_capability", "/plan/stages/0/capability", plan(stage={"capability": "redakt"})),
    ("capability_unavailable", "/plan/stages/0/capability", plan(stage={"capability": NOT_HERE})),
    ("unknown_result", "/plan/result/table", plan(result={"table": "x"})),
    ("sql_not_one_select", None, sql("DROP TABLE tickets")),
    ("sql_unknown_table", None, sql("SELECT * FROM secrets")),
]


QUERIES = [
    Case("limit=0", get("/v1/jobs?limit=0"), 422, "invalid", "/query/limit"),
    Case("limit=1001", get("/v1/jobs?limit=1001"), 422, "invalid", "/query/limit"),
    Case("limit=x", get("/v1/jobs?limit=x"), 422, "invalid", "/query/limit"),
    Case("limit twice", get("/v1/jobs?limit=1&limit=2"), 422, "invalid", "/query/limit"),
    Case("forged cursor", get("/v1/jobs?cursor=abcdef"), 422, "invalid", "/query/cursor"),
    Case("odd cursor", get("/v1/jobs?cursor=%ff"), 422, "invalid", "/query/cursor"),
    Case("unknown filter", get("/v1/jobs?colour=red"), 422, "invalid", "/query/colour"),
    Case("unknown status", get("/v1/jobs?status=done"), 422, "invalid", "/query/status"),
    Case("bad time", get("/v1/jobs?created_after=yesterday"), 422, "invalid"),
    Case("impossible time", get("/v1/jobs?created_after=2030-02-31T00:00:00Z"), 422, "invalid"),
    Case("NUL in a filter", get("/v1/jobs?q=%00"), 422, "invalid", "/query/q"),
    Case("wait=x", get(f"/v1/jobs/{UNKNOWN_JOB}?wait=x"), 422, "invalid", "/query/wait"),
    Case("unknown job", get(f"/v1/jobs/{UNKNOWN_JOB}"), 404, "not_found"),
    Case("an id of another kind", get(f"/v1/jobs/{UNKNOWN_TABLE}"), 404, "not_found"),
    Case("not an id", get("/v1/jobs/1%00'"), 404, "not_found"),
    Case("unknown table", get(f"/v1/tables/{UNKNOWN_TABLE}"), 404, "not_found"),
    Case("unknown path", get("/v1/jobz"), 404, "not_found"),
    Case("unknown page", get("/nothing"), 404, "not_found"),
]

UPLOADS = [
    Case("no type", upload(b"a\n1\n", kind=""), 415, "unsupported_media_type"),
    Case("odd type", upload(b"a\n1\n", kind="image/png"), 415, "unsupported_media_type"),
    Case("odd format", upload(b"a\n1\n", "?format=xls"), 422, "invalid", "/query/format"),
    Case("empty file", upload(b""), 422, "unreadable"),
    Case("an ELF named csv", upload(b"\x7fELF" + b"\0" * 600), 422, "unreadable"),
    Case(
        "truncated parquet",
        upload(truncated_parquet(), kind="application/vnd.apache.parquet"),
        422,
        "unreadable",
    ),
    Case("not json", upload(b"hello", kind="application/json"), 422, "unreadable"),
    Case("10,000 columns", upload(wide_csv(10_000)), 422, "too_many_columns"),
    Case("unknown key", upload(b"a\n1\n", "?key=b"), 422, "invalid", "/query/key"),
    Case("key repeats", upload(b"a\n1\n1\n", "?key=a"), 422, "key_not_unique", "/query/key"),
    Case("long name", upload(b"a\n1\n", "?name=" + "n" * 300), 422, "invalid", "/query/name"),
    Case("compressed", upload(b"x", kind="text/csv", coding="gzip"), 415, "unsupported_media_type"),
]

ALL = [*BODIES, *FIELDS, *MODELS, *LATER, *INPUTS, *QUERIES, *UPLOADS]


def test_bad_input_is_answered_and_leaves_nothing(api: Api, subtests: pytest.Subtests) -> None:
    before = api.kept()
    for case in ALL:
        with subtests.test(case.name):
            problem(case.send(api), case.status, case.code, case.pointer)
    assert api.kept() == before


def test_a_bad_plan_is_refused_with_the_linters_code_and_pointer(
    api: Api, subtests: pytest.Subtests
) -> None:
    before = api.kept()
    for code, pointer, send in PLANS:
        with subtests.test(code):
            body = problem(send(api), 422, "plan_invalid", pointer)
            assert code in [error["code"] for error in body["errors"]], body
            assert all(error["pointer"].startswith("/plan") for error in body["errors"])
    assert api.kept() == before


def test_a_key_that_is_missing_wrong_expired_or_revoked_is_unauthorized(
    api: Api, database: Engine
) -> None:
    with database.begin() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        _, expired = create_key(connection, api.project_id, "old", ("admin",), past)
        revoked_id, revoked = create_key(connection, api.project_id, "gone", ("admin",))
        revoke_key(connection, api.project_id, revoked_id)
    unknown = "apwa_" + "x" * 43
    bad = ["", "Bearer", "Bearer x", f"Basic {api.key}", f"Bearer {unknown}",
           f"Bearer {api.key}x", f"Bearer {expired}", f"Bearer {revoked}"]  # fmt: skip
    for header in bad:
        answer = api.get("/v1/jobs", headers={"Authorization": header})
        problem(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_without_the_scope_is_refused(api: Api) -> None:
    reader = {"Authorization": f"Bearer {api.key_with('jobs:read')}"}
    problem(api.post("/v1/jobs", json=JOB, headers=reader), 403, "missing_scope")
    problem(api.get("/v1/tables", headers=reader), 403, "missing_scope")
    assert api.get("/v1/jobs", headers=reader).status_code == 200


def test_another_projects_objects_do_not_exist(api: Api) -> None:
    job_id = api.submit()["id"]
    table = api.post("/v1/tables", data=b"a\n1\n", content_type="text/csv").get_json()["id"]
    stranger = {"Authorization": f"Bearer {api.other}"}
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/results", f"/v1/jobs/{job_id}/stages",
                 f"/v1/jobs/{job_id}/subtasks", f"/v1/jobs/{job_id}/failures",
                 f"/v1/jobs/{job_id}/events", f"/v1/jobs/{job_id}/plan",
                 f"/v1/tables/{table}", f"/v1/tables/{table}/rows"):  # fmt: skip
        problem(api.get(path, headers=stranger), 404, "not_found")
    problem(api.post(f"/v1/jobs/{job_id}/cancel", headers=stranger), 404, "not_found")
    problem(api.send("DELETE", f"/v1/tables/{table}", headers=stranger), 404, "not_found")
    taken = {"goal": "x", "inputs": {"t": {"table": table}}}
    problem(api.post("/v1/jobs", json=taken, headers=stranger), 404, "not_found")
    assert api.get("/v1/jobs", headers=stranger).get_json()["items"] == []
    assert api.get("/v1/tables", headers=stranger).get_json()["items"] == []


def test_a_wrong_method_names_those_allowed(api: Api) -> None:
    answer = api.send("DELETE", "/v1/jobs")
    problem(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(",", " ").split())


def test_a_body_over_the_limit_is_refused_declared_or_not(api: Api) -> None:
    before = api.kept()
    big = b'{"goal": "' + b"x" * api.settings.body_max_bytes + b'"}'
    kind = {"Content-Type": "application/json"}
    problem(api.post("/v1/jobs", data=big, headers=kind), 413, "too_large")
    answer = api.post(
        "/v1/jobs",
        input_stream=io.BytesIO(big),
        headers={**kind, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    problem(answer, 413, "too_large")
    assert api.kept() == before


def test_a_cursor_belongs_to_one_list_and_its_filters(api: Api) -> None:
    for _ in range(2):
        api.submit()
    cursor = api.get("/v1/jobs?limit=1").get_json()["next_cursor"]
    assert api.get(f"/v1/jobs?limit=1&cursor={cursor}").status_code == 200
    stranger = {"Authorization": f"Bearer {api.other}"}
    for answer in (
        api.get(f"/v1/tables?cursor={cursor}"),
        api.get(f"/v1/jobs?status=queued&cursor={cursor}"),
        api.get(f"/v1/jobs?cursor={cursor[:-2]}"),
        api.get(f"/v1/jobs?cursor={cursor}", headers=stranger),
    ):
        problem(answer, 422, "invalid", "/query/cursor")


def test_sql_in_filters_has_no_effect(api: Api) -> None:
    api.submit(labels={"customer": "42"})
    for query in ("label.customer=42'%20OR%20'1'='1", "label.x'%7D=1", "q=%25", "q='%20OR%201=1"):
        answer = api.get(f"/v1/jobs?{query}")
        assert answer.status_code == 200, answer.text
        assert answer.get_json()["items"] == []


def test_a_table_that_still_loads_is_a_conflict(api: Api, database: Engine) -> None:
    table = api.post("/v1/tables", data=b"a\n1\n", content_type="text/csv").get_json()["id"]
    with database.begin() as connection:
        loading = text("UPDATE tables SET status = 'loading' WHERE id = :id")
        connection.execute(loading, {"id": table})
    body = {"goal": "x", "inputs": {"t": {"table": table}}}
    problem(api.post("/v1/jobs", json=body), 409, "table_open", "/inputs/t/table")


def test_cancelling_a_final_job_is_a_conflict_that_tells_the_state(
    api: Api, database: Engine
) -> None:
    job_id = api.submit()["id"]
    with database.begin() as connection:
        ended = text("UPDATE jobs SET status = 'failed', finished_at = now() WHERE id = :id")
        connection.execute(ended, {"id": job_id})
    body = problem(api.post(f"/v1/jobs/{job_id}/cancel"), 409, "wrong_state")
    assert "failed" in body["detail"]


def test_a_file_for_no_input_is_refused(api: Api) -> None:
    before = api.kept()
    form = {"job": json.dumps(JOB), "tikets": (io.BytesIO(b"id,text\n1,a\n"), "t.csv")}
    problem(api.post("/v1/jobs", data=form), 422, "invalid", "/inputs/tikets")
    form = {"tickets": (io.BytesIO(b"id,text\n1,a\n"), "t.csv")}
    problem(api.post("/v1/jobs", data=form), 422, "invalid", "/job")
    assert api.kept() == before


def test_rows_with_differing_columns_are_joined(api: Api) -> None:
    given = [{"id": 1, "text": "a"}, {"id": 2, "text": "b", "more": True}]
    job_id = api.submit(inputs={"tickets": {"rows": given}})["id"]
    tables = api.get("/v1/tables").get_json()["items"]
    assert [table["job"] for table in tables] == [job_id]
    rows = api.get(f"/v1/tables/{tables[0]['id']}/rows").get_json()["items"]
    assert rows == [{**given[0], "more": None}, given[1]]


def test_unreadable_rows_of_a_file_are_reported_with_line_and_reason(api: Api) -> None:
    body = b"id,text\n1,a\n2,b,c,d\n3,e\n"
    answer = api.post("/v1/tables?name=odd", data=body, content_type="text/csv")
    assert answer.status_code == 201, answer.text
    table = answer.get_json()
    assert table["rows"] == 2
    assert table["report"]["unreadable"] == 1
    assert table["report"]["samples"][0]["line"] == 3


def test_the_whole_job_is_refused_when_one_of_its_files_cannot_be_read(api: Api) -> None:
    before = api.kept()
    form = {
        "job": json.dumps({"goal": "x", "inputs": {"a": {"rows": TICKETS}, "b": {}}}),
        "b": (io.BytesIO(b"\x7fELF" + b"\0" * 600), "b.csv"),
    }
    problem(api.post("/v1/jobs", data=form), 422, "unreadable")
    assert api.kept() == before
