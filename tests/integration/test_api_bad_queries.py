"""Paths, pages, filters and methods that are wrong: on some lists, and on every operation."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from services.api.operations import OPERATIONS
from services.api.operations.parts import Operation
from shared.actions.actor import SCOPES, SYSTEM
from shared.settings import Settings
from tests.integration.api_door import Api, problem
from tests.integration.api_objects import (
    OBJECTS,
    PREFIXES,
    Objects,
    places,
    real_path,
    sound,
    whole_api,
)
from tests.integration.bad_requests import UNKNOWN_JOB, UNKNOWN_TABLE, Case, each_is_refused

NO_QUERY = {"receive_hook"}  # senders put into their address what they like
ASKED = [one for one in OPERATIONS if one.name not in NO_QUERY]


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = whole_api(settings, database)
    yield made
    made.close()


@pytest.fixture
def objects(api: Api) -> Objects:
    return Objects(api)


def get(path: str) -> Callable[[Api], TestResponse]:
    return lambda api: api.get(path)


QUERIES = [
    Case("limit twice", get("/v1/jobs?limit=1&limit=2"), 422, "invalid", "/query/limit"),
    Case("odd cursor", get("/v1/jobs?cursor=%ff"), 422, "invalid", "/query/cursor"),
    Case("unknown filter", get("/v1/jobs?colour=red"), 422, "invalid", "/query/colour"),
    Case("sorted", get("/v1/jobs?sort=name"), 422, "invalid", "/query/sort"),
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
    Case("a path with a slash too many", get("/v1/jobs/"), 404, "not_found"),
]


def test_a_question_that_is_none_is_refused(api: Api, subtests: pytest.Subtests) -> None:
    each_is_refused(api, subtests, QUERIES)


def test_a_cursor_belongs_to_one_list_and_its_filters(api: Api) -> None:
    cursor = jobs_cursor(api)
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
    api.submit(labels={"customer": "42' OR '1'='1"})
    for query in ("label.customer=42'%20OR%20'1'='2", "label.x'%7D=1", "q=%25", "q='%20OR%201=1"):
        answer = api.get(f"/v1/jobs?{query}")
        assert answer.status_code == 200, answer.text
        assert answer.get_json()["items"] == []
    [found] = api.get("/v1/jobs?label.customer=42'%20OR%20'1'='1").get_json()["items"]
    assert found["labels"] == {"customer": "42' OR '1'='1"}


# --- every operation, as the document lists them


def jobs_cursor(api: Api) -> str:
    """Return a genuine cursor of the list of jobs."""
    for _ in range(2):
        api.submit()
    return str(api.get("/v1/jobs?limit=1").get_json()["next_cursor"])


def tables_cursor(api: Api) -> str:
    """Return a genuine cursor of the list of tables."""
    for _ in range(2):
        api.post("/v1/tables", data=b"a\n1\n", content_type="text/csv")
    return str(api.get("/v1/tables?limit=1").get_json()["next_cursor"])


def operator(api: Api) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.key_with(*SCOPES, SYSTEM)}"}


def parameters(operation: Operation) -> dict[str, Any]:
    return {
        one["name"]: one["schema"] for one in operation.query_parameters if one["in"] == "query"
    }


LISTS = [one for one in OPERATIONS if one.is_list or "limit" in parameters(one)]


def test_every_list_refuses_other_limits_and_cursors_than_its_own(
    api: Api, objects: Objects, subtests: pytest.Subtests
) -> None:
    jobs, tables = jobs_cursor(api), tables_cursor(api)
    for operation in LISTS:
        path, known = real_path(api, objects, operation), parameters(operation)
        most = known.get("limit", {}).get("maximum", 1_000)
        mark = "after" if "after" in known else "cursor"
        for limit in ("0", f"{most + 1}", "x", "-1", "1.5", ""):
            with subtests.test(f"{operation.name} limit={limit}"):
                problem(api.get(f"{path}?limit={limit}"), 422, "invalid", "/query/limit")
        other = tables if operation.name == "list_jobs" else jobs
        for cursor in ("abcdef", "", "*", other, UNKNOWN_JOB):
            with subtests.test(f"{operation.name} {mark}={cursor}"):
                problem(api.get(f"{path}?{mark}={cursor}"), 422, "invalid", f"/query/{mark}")


def test_every_operation_refuses_parameters_it_does_not_know(
    api: Api, objects: Objects, subtests: pytest.Subtests
) -> None:
    headers = {**operator(api), "If-Match": "*"}
    paths = {operation.name: real_path(api, objects, operation) for operation in ASKED}
    before = api.kept()
    for operation in ASKED:
        with subtests.test(operation.name):
            path = f"{paths[operation.name]}?colour=red"
            answer = api.send(operation.method, path, headers=headers, **sound(operation))
            problem(answer, 422, "invalid", "/query/colour")
    assert api.kept() == before


def test_every_parameter_refuses_what_is_not_of_its_type(
    api: Api, objects: Objects, subtests: pytest.Subtests
) -> None:
    for operation in ASKED:
        for name, schema in parameters(operation).items():
            if not {"enum", "format"} & schema.keys() and schema["type"] == "string":
                continue
            with subtests.test(f"{operation.name} {name}"):
                path = f"{real_path(api, objects, operation)}?{name}=none%20of%20it"
                answer = api.send(operation.method, path, **sound(operation))
                problem(answer, 422, "invalid", f"/query/{name}")


def test_every_object_is_not_found_under_an_id_of_another_kind(
    api: Api, objects: Objects, subtests: pytest.Subtests
) -> None:
    headers = {**operator(api), "If-Match": "*"}
    for operation in OBJECTS:
        kind, place = places(operation.path)[0]
        if kind not in PREFIXES:
            continue
        other = "jobs/{job_id}" if kind != "jobs/{job_id}" else "tables/{table_id}"
        path = operation.path.replace(place, objects.id(other))
        for _, rest in places(path):
            path = path.replace(rest, "0")
        with subtests.test(operation.name):
            answer = api.send(operation.method, path, headers=headers, **sound(operation))
            problem(answer, 404, "not_found")


def test_every_path_names_the_methods_it_takes(
    api: Api, objects: Objects, subtests: pytest.Subtests
) -> None:
    taken: dict[str, set[str]] = {}
    for operation in OPERATIONS:
        taken.setdefault(operation.path, {"OPTIONS"}).add(operation.method)
    for operation in OPERATIONS:
        known = taken[operation.path] | ({"HEAD"} if "GET" in taken[operation.path] else set())
        path = real_path(api, objects, operation)
        with subtests.test(operation.path):
            wrong = api.send("TRACE", path)
            problem(wrong, 405, "method_not_allowed")
            assert methods(wrong) == known
            options = api.send("OPTIONS", path)
            assert (options.status_code, options.data, methods(options)) == (200, b"", known)


def methods(answer: TestResponse) -> set[str]:
    return set(answer.headers["Allow"].replace(",", " ").split())


def test_head_tells_what_get_would_without_a_body(
    api: Api, objects: Objects, subtests: pytest.Subtests
) -> None:
    for operation in OPERATIONS:
        if operation.method != "GET":
            continue
        path = real_path(api, objects, operation)
        with subtests.test(operation.name):
            head, get_ = api.send("HEAD", path), api.get(path)
            assert head.data == b""
            assert (head.status_code, head.content_type) == (get_.status_code, get_.content_type)
