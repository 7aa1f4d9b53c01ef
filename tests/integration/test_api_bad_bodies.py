"""Keys, paths, bodies and fields that are wrong: status, code, pointer, and nothing is kept."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from shared.actions.keys import create_key, revoke_key
from shared.settings import Settings
from tests.integration.api_door import JOB, Api, problem
from tests.integration.bad_requests import Case, each_is_refused, job, raw, undeclared


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


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
    Case("nothing at all", raw(b"{}"), 422, "invalid", "/goal"),
    Case("plan and workflow", job(workflow="w"), 422, "invalid", "/workflow"),
    Case("workflow", raw(b'{"workflow": "w"}'), 404, "not_found", "/workflow"),
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
    Case(
        "NaN as text",
        job(policy={"budget": {"usd": "NaN"}}),
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


def test_what_is_no_body_and_what_is_no_job_is_refused(api: Api, subtests: pytest.Subtests) -> None:
    each_is_refused(api, subtests, [*BODIES, *FIELDS, *MODELS])


def test_a_key_that_is_missing_wrong_expired_or_revoked_is_unauthorized(
    api: Api, database: Engine
) -> None:
    with database.begin() as connection:
        old_id, expired = create_key(connection, api.project_id, "old", ("admin",))
        past = text("UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = :id")
        connection.execute(past, {"id": old_id})
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


def test_a_body_over_the_limit_is_refused_declared_or_not(api: Api) -> None:
    before = api.kept()
    big = b'{"goal": "' + b"x" * api.settings.body_max_bytes + b'"}'
    kind = "application/json"
    problem(api.post("/v1/jobs", data=big, content_type=kind), 413, "too_large")
    problem(undeclared(api, "/v1/jobs", big, kind), 413, "too_large")
    assert api.kept() == before
