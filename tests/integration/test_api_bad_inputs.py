"""Inputs of a job that are wrong: their names, sources, rows, addresses and streams."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from shared.settings import Settings
from tests.integration.api_door import JOB, Api, problem
from tests.integration.bad_requests import (
    UNKNOWN_JOB,
    UNKNOWN_TABLE,
    Case,
    each_is_refused,
    inputs,
    job,
    nested,
    raw,
    rows,
)
from tests.stack import SECRET_KEY


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(replace(settings, secret_keys=SECRET_KEY), database)
    yield made
    made.close()


STREAM: dict[str, Any] = {"stream": True, "columns": {"id": "integer"}, "key": "id"}


def endpoint(url: str) -> Callable[[Api], TestResponse]:
    return lambda api: api.post("/v1/webhook-endpoints", json={"url": url})


def stream(**given: Any) -> Callable[[Api], TestResponse]:
    return inputs(t={**STREAM, **given})


PRIVATE = (  # what is no public address, however it is written
    "http://127.0.0.1:9000/",
    "http://localhost/a.csv",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://１２７.０.０.１/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://224.0.0.1/",
    "http://[::1]/",
    "http://[::127.0.0.1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[ff02::1]/",
    "http://user:word@192.0.2.1/",
    "http://93.184.216.34\\@127.0.0.1/",
    "ftp://192.0.2.1/a.csv",
    "file:///etc/passwd",
    "a.csv",
)
OF_FILES = ("s3://bucket/key.csv", "memory://a.csv", "simplecache::s3://bucket/key.csv")
NOT_ALLOWED = "address_not_allowed"
ADDRESSES = [
    *[
        Case(
            f"url input {url}", inputs(t={"url": url}), 422, "address_not_allowed", "/inputs/t/url"
        )
        for url in (*PRIVATE, *OF_FILES)
    ],
    *[
        Case(
            f"webhook {url}", job(webhook={"url": url}), 422, "address_not_allowed", "/webhook/url"
        )
        for url in PRIVATE
    ],
    *[Case(f"webhook endpoint {url}", endpoint(url), 422, NOT_ALLOWED, "/url") for url in PRIVATE],
]

LATER = [
    Case("webhook without a url", job(webhook={}), 422, "invalid", "/webhook/url"),
    Case(
        "webhook event",
        job(webhook={"url": "http://x.example", "events": ["job.finnished"]}),
        422,
        "invalid",
        "/webhook/events/0",
    ),
    Case(
        "webhook without events",
        job(webhook={"url": "http://x.example", "events": []}),
        422,
        "invalid",
        "/webhook/events",
    ),
    Case("deadline", job(policy={"deadline_s": 0}), 422, "invalid", "/policy/deadline_s"),
    Case(
        "url and rows",
        inputs(t={"url": "http://127.0.0.1/", "rows": []}),
        422,
        "invalid",
        "/inputs/t",
    ),
    Case("url of no text", inputs(t={"url": 5}), 422, "invalid", "/inputs/t/url"),
    Case(
        "url too long",
        inputs(t={"url": "http://x.example/" + "a" * 5_000}),
        422,
        "invalid",
        "/inputs/t/url",
    ),
    Case("url of a stream", stream(url="http://x.example/"), 422, "invalid", "/inputs/t/url"),
    Case(
        "sheet without a file",
        inputs(t={"rows": [], "sheet": "A"}),
        422,
        "invalid",
        "/inputs/t/sheet",
    ),
    Case(
        "odd format of a url",
        inputs(t={"url": "http://192.0.2.1/", "format": "xls"}),
        422,
        "invalid",
        "/inputs/t/format",
    ),
    Case(
        "estimate with a url",
        lambda api: api.post(
            "/v1/jobs/estimate",
            json={**JOB, "inputs": {"tickets": {"url": "http://93.184.216.34/t.csv"}}},
        ),
        422,
        "invalid",
        "/inputs/tickets/url",
    ),
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


LONG = "a" * 300
DEEP = f"/inputs/t/rows/1/a{'/0' * 63}"  # where the row is deeper than it may be
INPUTS = [
    Case("dots", inputs(**{"a.b": {"rows": []}}), 422, "invalid", "/inputs/a.b"),
    Case("slashes", inputs(**{"a/b": {"rows": []}}), 422, "invalid", "/inputs/a~1b"),
    Case(
        "300 characters",
        inputs(**{"a" * 300: {"rows": []}}),
        422,
        "invalid",
        f"/inputs/{'a' * 300}",
    ),
    Case("reserved", inputs(rows={"rows": []}), 422, "invalid", "/inputs/rows"),
    Case("two sources", inputs(t={"rows": [], "text": "x"}), 422, "invalid", "/inputs/t"),
    Case("no source", inputs(t={}), 422, "invalid", "/inputs/t"),
    Case("unknown source", inputs(t={"ftp": "x"}), 422, "invalid", "/inputs/t/ftp"),
    Case("not an object", inputs(t=[]), 422, "invalid", "/inputs/t"),
    Case("unknown table", inputs(t={"table": UNKNOWN_TABLE}), 404, "not_found", "/inputs/t/table"),
    Case("an id of another kind", inputs(t={"table": UNKNOWN_JOB}), 404, "not_found"),
    Case("rows not a list", inputs(t={"rows": {}}), 422, "invalid", "/inputs/t/rows"),
    Case("row not an object", rows({"a": 1}, 5), 422, "invalid", "/inputs/t/rows/1"),
    Case("nested 200 deep", rows({"a": 1}, {"a": nested(200)}), 422, "invalid", DEEP),
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


def test_an_input_that_is_none_is_refused(api: Api, subtests: pytest.Subtests) -> None:
    each_is_refused(api, subtests, [*ADDRESSES, *LATER, *INPUTS])


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
