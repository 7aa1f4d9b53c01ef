"""Every exception becomes a problem that tells what it should and nothing more."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg import errors
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.api import problems, request_id
from services.api.problems import Problem
from services.api.strict_json import NotJson
from shared.actions.refusals import FieldProblem, Invalid, NotFound, Refusal, WrongState


def database_error(kind: type[Exception], original: Exception) -> Exception:
    return kind("SELECT secret", {}, original)  # type: ignore[call-arg]


RAISED: dict[str, tuple[Exception, int, str]] = {
    "problem": (Problem(418, "teapot", "short and stout"), 418, "teapot"),
    "refusal": (Refusal("odd", "An odd thing."), 422, "odd"),
    "invalid": (Invalid([FieldProblem("/a", "Bad.")]), 422, "invalid"),
    "missing": (NotFound("job"), 404, "not_found"),
    "state": (WrongState("wrong_state", "It is over."), 409, "wrong_state"),
    "json": (NotJson("not JSON"), 400, "invalid_json"),
    "bug": (KeyError("secret"), 500, "internal"),
    "away": (
        database_error(OperationalError, errors.ConnectionFailure("secret")), 503, "unavailable",
    ),
    "shutdown": (database_error(OperationalError, errors.AdminShutdown()), 503, "unavailable"),
    "pool": (PoolTimeout(), 503, "unavailable"),
    "full": (database_error(OperationalError, errors.DiskFull()), 507, "storage_full"),
    "data": (database_error(DataError, errors.NumericValueOutOfRange()), 500, "internal"),
}  # fmt: skip


@pytest.fixture
def client() -> FlaskClient:
    app = Flask(__name__)
    request_id.install(app)
    problems.install(app)

    @app.get("/raise/<name>")
    def fail(name: str) -> Any:
        raise RAISED[name][0]

    @app.post("/post")
    def post() -> str:
        return ""

    return app.test_client()


@pytest.mark.parametrize("name", RAISED)
def test_an_exception_becomes_its_problem(client: FlaskClient, name: str) -> None:
    _, status, code = RAISED[name]
    answer = client.get(f"/raise/{name}", headers={"X-Request-Id": "mine"})
    body = json.loads(answer.data)
    assert answer.status_code == body["status"] == status
    assert answer.content_type == "application/problem+json"
    assert body["code"] == code
    assert body["request_id"] == answer.headers["X-Request-Id"] == "mine"
    assert body["title"]
    assert "secret" not in answer.text


def test_a_database_that_is_away_says_when_to_try_again(client: FlaskClient) -> None:
    for name in ("away", "pool"):
        assert int(client.get(f"/raise/{name}").headers["Retry-After"]) > 0


def test_a_wrong_method_keeps_allow(client: FlaskClient) -> None:
    answer = client.get("/post")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert answer.get_json(force=True)["code"] == "method_not_allowed"


def test_errors_carry_pointer_detail_and_their_own_code(client: FlaskClient) -> None:
    RAISED["plan"] = (
        Invalid([FieldProblem("/plan/stages/0", "No.", "unknown_table")], "plan_invalid"), 0, "",
    )  # fmt: skip
    body = client.get("/raise/plan").get_json(force=True)
    assert body["errors"] == [
        {"pointer": "/plan/stages/0", "detail": "No.", "code": "unknown_table"}
    ]


def test_text_that_is_not_utf8_is_told_with_a_mark(client: FlaskClient) -> None:
    RAISED["odd"] = (Invalid([FieldProblem("/\ud800", "Bad \ud800.")]), 0, "")
    body = client.get("/raise/odd").get_json(force=True)
    assert body["errors"] == [{"pointer": "/?", "detail": "Bad ?."}]
