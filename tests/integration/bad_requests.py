"""What is wrong with a request, and what has to be said to it; lists of these are gone through."""

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.integration.api_door import JOB, Api, problem

UNKNOWN_JOB = "job_" + "0" * 26
UNKNOWN_TABLE = "tbl_" + "0" * 26


@dataclass(frozen=True)
class Case:
    """One bad request: status and code of its answer, and the pointer of one of its errors."""

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


def rows(*given: Any) -> Callable[[Api], TestResponse]:
    body = {"goal": "redact", "inputs": {"t": {"rows": list(given)}}}
    return lambda api: api.post(
        "/v1/jobs", data=json.dumps(body), headers={"Content-Type": "application/json"}
    )


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def undeclared(api: Api, path: str, body: bytes, kind: str) -> TestResponse:
    """POST a body in chunks, so that nobody knows its length before its end."""
    return api.post(
        path,
        input_stream=io.BytesIO(body),
        headers={"Content-Type": kind, "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )


def each_is_refused(api: Api, subtests: pytest.Subtests, cases: Iterable[Case]) -> None:
    """Send every case and hold its answer to it; nothing of any may be left in the database."""
    before = api.kept()
    for case in cases:
        with subtests.test(case.name):
            problem(case.send(api), case.status, case.code, case.pointer)
    assert api.kept() == before
