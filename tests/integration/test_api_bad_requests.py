"""What every operation with a body, an `If-Match` or an `Idempotency-Key` refuses alike."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from services.api import timed_input
from services.api.operations import OPERATIONS
from services.api.operations.parts import Operation
from services.api.wired import wired_to
from services.planner.plan_job import Planner, plan_job
from shared.actions.actor import SCOPES, SYSTEM
from shared.database import idempotency
from shared.database.idempotency import StoredAnswer
from shared.settings import Settings
from tests.integration.api_door import Api, problem
from tests.integration.api_objects import Objects, real_path, sound, whole_api

JSON = "application/json"
FILES = {"create_table", "create_file", "receive_hook"}  # JSON would be a file to them, too
TAKES_FILES = [one for one in OPERATIONS if one.name in FILES]
TAKES_JSON = [one for one in OPERATIONS if JSON in (one.body or {}) and one.name not in FILES]
OF_A_LIST = {"append_records"}  # takes an array of records, whatever their fields
HUGE = {"CONTENT_LENGTH": "100000000000"}


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = whole_api(settings, database)
    made.key = made.key_with(*SCOPES, SYSTEM)
    yield made
    made.close()


@pytest.fixture
def paths(api: Api) -> dict[str, str]:
    """The path of each operation, all of which lead to an object that exists."""
    objects = Objects(api)
    return {operation.name: real_path(api, objects, operation) for operation in OPERATIONS}


def send(
    api: Api, operation: Operation, path: str, body: bytes, *, kind: str = JSON,
    coding: str = "identity", declared: dict[str, str] | None = None,
) -> TestResponse:  # fmt: skip
    headers = {"If-Match": "*", "Content-Type": kind, "Content-Encoding": coding}
    return api.send(
        operation.method, path, data=body, headers=headers, environ_overrides=declared or {}
    )


NOT_JSON = {
    "cut off": b'{"goal": "x"',
    "NaN": b'{"goal": NaN}',
    "doubled names": b'{"goal": 1, "goal": 2}',
    "100 kB of brackets": b"[" * 100_000,
    "a byte order mark": b"\xef\xbb\xbf{}",
    "latin-1": b'{"goal": "\xe9"}',
}


def test_every_json_body_is_held_to_json_its_type_its_coding_and_its_size(
    api: Api, paths: dict[str, str], subtests: pytest.Subtests
) -> None:
    before = api.kept()
    for operation in TAKES_JSON:
        path = paths[operation.name]
        for name, body in NOT_JSON.items():
            with subtests.test(f"{operation.name}: {name}"):
                problem(send(api, operation, path, body), 400, "invalid_json")
        with subtests.test(f"{operation.name}: type and coding"):
            wrong = "unsupported_media_type"
            problem(send(api, operation, path, b"{}", kind=""), 415, wrong)
            problem(send(api, operation, path, b"{}", kind="text/plain"), 415, wrong)
            problem(send(api, operation, path, b"{}", coding="gzip"), 415, wrong)
            odd = f"{JSON}; charset=latin-1"
            problem(send(api, operation, path, b"{}", kind=odd), 400, "invalid_json")
        with subtests.test(f"{operation.name}: size"):
            problem(send(api, operation, path, b"{}", declared=HUGE), 413, "too_large")
    assert api.kept() == before


def test_every_json_body_refuses_fields_nobody_knows_and_what_is_no_object(
    api: Api, paths: dict[str, str], subtests: pytest.Subtests
) -> None:
    before = api.kept()
    for operation in TAKES_JSON:
        path = paths[operation.name]
        if operation.name not in OF_A_LIST:
            with subtests.test(f"{operation.name}: unknown field"):
                odd = {**sound(operation)["json"], "colour": "red"}
                answer = api.send(operation.method, path, json=odd, headers={"If-Match": "*"})
                told = problem(answer, 422, "invalid")
                assert told["errors"][0]["pointer"] in {"/colour", ""}
        for body in (b"null", b"5", b'"x"', b"{}" if operation.name in OF_A_LIST else b"[]"):
            with subtests.test(f"{operation.name}: {body!r}"):
                problem(send(api, operation, path, body), 422, "invalid", "")
    assert api.kept() == before


def test_every_file_is_held_to_its_type_its_coding_and_its_size(
    api: Api, paths: dict[str, str], subtests: pytest.Subtests
) -> None:
    before = api.kept()
    for operation in TAKES_FILES:
        path, wrong = paths[operation.name], "unsupported_media_type"
        with subtests.test(operation.name):
            problem(send(api, operation, path, b"x", coding="br"), 415, wrong)
            if operation.name != "receive_hook":  # what a sender signs is bytes of any name
                problem(send(api, operation, path, b"x", kind="video/mp4"), 415, wrong)
            kind = "multipart/form-data; boundary=x"
            large = send(api, operation, path, b"x", kind=kind, declared=HUGE)
            problem(large, 413, "too_large")
    assert api.kept() == before


def test_a_body_that_comes_too_slowly_is_a_timeout_and_nothing_is_kept(
    api: Api, paths: dict[str, str], subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = api.kept()
    monkeypatch.setattr(timed_input, "PATIENCE_S", -1.0)  # so every body is late
    for operation in OPERATIONS:
        if operation.body is None:
            continue
        with subtests.test(operation.name):
            rest = sound(operation) if operation.name != "receive_hook" else {"data": b"{}"}
            answer = api.send(
                operation.method, paths[operation.name], headers={"If-Match": "*"}, **rest
            )
            problem(answer, 408, "timeout")
            assert answer.headers["Connection"] == "close"
    assert api.kept() == before


def test_a_body_that_ends_before_its_declared_length_is_refused(api: Api) -> None:
    before = api.kept()
    for path, kind in (("/v1/jobs", JSON), ("/v1/tables", "text/csv")):
        answer = api.post(
            path, data=b'{"goal": "x"}', headers={"Content-Type": kind},
            environ_overrides={"CONTENT_LENGTH": "1000"},
        )  # fmt: skip
        problem(answer, 400, "bad_request")
    assert api.kept() == before


# --- If-Match


def awaiting(api: Api) -> str:
    """Return a job whose plan awaits a yes."""
    job_id = str(api.submit(approval="plan")["id"])
    nobody = lambda _job_id: None  # noqa: E731 - nobody to ring here
    plan_job(Planner(api.database, api.settings, nobody, nobody), job_id)
    assert api.get(f"/v1/jobs/{job_id}").get_json()["status"] == "awaiting_approval"
    return job_id


def test_every_if_match_that_is_missing_or_stale_is_told(
    api: Api, subtests: pytest.Subtests
) -> None:
    job_id = awaiting(api)
    matched = [one for one in OPERATIONS if one.if_match]
    assert {one.name for one in matched} == {"edit_job", "put_plan", "approve_plan", "reject_plan"}
    for operation in matched:
        path, method = operation.path.replace("{job_id}", job_id), operation.method
        with subtests.test(operation.name):
            if operation.if_match == "required":
                missing = api.send(method, path, **sound(operation))
                problem(missing, 428, "precondition_required")
            for stale in ('"nothing"', 'W/"nothing"', "nothing", '""'):
                answer = api.send(method, path, headers={"If-Match": stale}, **sound(operation))
                problem(answer, 412, "stale")
    assert api.get(f"/v1/jobs/{job_id}").get_json()["status"] == "awaiting_approval"


# --- Idempotency-Key


def test_every_post_that_takes_an_idempotency_key_holds_it_to_its_rules(
    api: Api, paths: dict[str, str], subtests: pytest.Subtests
) -> None:
    with api.database.begin() as connection:
        other = StoredAnswer("of another body", 202, None, {})
        assert idempotency.insert(connection, api.project_id, "used", other)
    before = api.kept()
    with wired_to(api.app).in_flight.hold(api.project_id, "held"):
        for operation in OPERATIONS:
            if not operation.takes_idempotency_key:
                continue
            with subtests.test(operation.name):
                pointer = "/headers/Idempotency-Key"
                for odd in ("x" * 300, "x" * 256, "", "ü"):
                    problem(posted(api, operation, paths, odd), 422, "invalid", pointer)
                reused = posted(api, operation, paths, "used")
                problem(reused, 422, "idempotency_key_reused", pointer)
                held = posted(api, operation, paths, "held")
                problem(held, 409, "idempotency_in_flight")
                assert held.headers["Retry-After"] == "1"
    assert api.kept() == before


def posted(api: Api, operation: Operation, paths: dict[str, str], key: str) -> TestResponse:
    headers = {"Idempotency-Key": key, "If-Match": "*"}
    return api.post(paths[operation.name], headers=headers, **sound(operation))
