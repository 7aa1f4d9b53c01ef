"""Workflows through the interface: versions that stay, runs of them, and what is refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text

from shared.database import jobs
from shared.database.jobs import FinalRecord
from shared.settings import Settings
from tests.integration.api_door import REDACT_PLAN, TICKETS, Api, problem

INPUTS = {"tickets": {"rows": TICKETS, "key": "id"}}
TRIAGE: dict[str, Any] = {
    "name": "triage",
    "description": "Takes personal data out of tickets.",
    "plan": REDACT_PLAN,
    "defaults": {
        "policy": {"priority": 7, "min_success": 0.9, "budget": {"usd": 2.0, "tokens": 1000}},
        "labels": {"team": "support", "stage": "test"},
    },
}


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def create(api: Api, **changes: Any) -> dict[str, Any]:
    answer = api.post("/v1/workflows", json={**TRIAGE, **changes})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/v1/workflows/{changes.get('name', 'triage')}"
    return dict(answer.get_json())


def stored_job(api: Api, job_id: str) -> Any:
    with api.database.connect() as connection:
        return connection.execute(text("SELECT * FROM jobs WHERE id = :id"), {"id": job_id}).one()


def test_a_name_gets_versions_and_each_stays_as_it_was(api: Api) -> None:
    first = create(api)
    second = create(api, plan=None, goal="Redact all personal data", description=None)

    assert (first["version"], second["version"]) == (1, 2)
    assert first["id"] == second["id"]
    assert first["id"].startswith("wfl_")
    assert first["inputs"] == ["tickets"]
    assert second["inputs"] is None
    newest = api.get("/v1/workflows/triage").get_json()
    assert newest == second
    assert newest["latest_version"] == 2
    old = api.get("/v1/workflows/triage?version=1")
    assert old.get_json() == {**first, "latest_version": 2}
    assert old.get_json()["plan"] == REDACT_PLAN
    unchanged = api.get(
        "/v1/workflows/triage?version=1", headers={"If-None-Match": old.headers["ETag"]}
    )
    assert unchanged.status_code == 304
    problem(api.get("/v1/workflows/triage?version=3"), 404, "not_found")
    problem(api.get("/v1/workflows/triage?version=0"), 422, "invalid", "/query/version")


def test_lists_are_paged_by_name_and_versions_newest_first(api: Api) -> None:
    for name in ("b", "a", "a-2", "a_1"):
        create(api, name=name)
    create(api, name="a")

    names, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/v1/workflows?limit=3{cursor and '&cursor=' + cursor}").get_json()
        names += [(one["name"], one["version"]) for one in page["items"]]
        assert all("plan" not in one for one in page["items"])
        cursor = page["next_cursor"]
    assert names == [("a", 2), ("a-2", 1), ("a_1", 1), ("b", 1)]

    page = api.get("/v1/workflows/a/versions?limit=1").get_json()
    assert [one["version"] for one in page["items"]] == [2]
    path = f"/v1/workflows/a/versions?limit=1&cursor={page['next_cursor']}"
    page = api.get(path).get_json()
    assert [one["version"] for one in page["items"]] == [1]
    assert page["next_cursor"] is None
    problem(api.get(path.replace("/a/", "/b/")), 422, "invalid", "/query/cursor")


def test_requests_at_one_moment_never_share_a_version(api: Api) -> None:
    def one(_: int) -> int:
        with api.app.test_client() as client:
            headers = {"Authorization": f"Bearer {api.key}"}
            return int(client.post("/v1/workflows", json=TRIAGE, headers=headers).json["version"])

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(8))) == list(range(1, 9))


def test_a_run_takes_the_defaults_and_says_what_it_ran(api: Api) -> None:
    made = create(api)
    body = {
        "inputs": INPUTS,
        "version": 1,
        "policy": {"min_success": 0.5, "budget": {"usd": 3.0}},
        "labels": {"stage": "live", "customer": "42"},
    }
    create(api, plan=None, goal="Something else")

    answer = api.post("/v1/workflows/triage/runs", json=body)

    assert answer.status_code == 202, answer.text
    job = answer.get_json()
    assert answer.headers["Location"] == job["links"]["self"]
    assert job["workflow"] == {"id": made["id"], "name": "triage", "version": 1}
    assert job["labels"] == {"team": "support", "stage": "live", "customer": "42"}
    kept = stored_job(api, job["id"])
    assert kept.given_plan == REDACT_PLAN
    assert kept.priority == 7
    assert kept.policy["min_success"] == 0.5
    assert kept.policy["budget"] == {"usd": 3.0, "tokens": 1000, "seconds": None}
    assert kept.policy["on_shortfall"] == "partial"


@pytest.mark.parametrize(
    ("named", "version"), [("triage", 2), ({"name": "triage", "version": 1}, 1)]
)
def test_a_job_may_name_a_workflow_instead_of_a_plan(api: Api, named: Any, version: int) -> None:
    create(api)
    create(api, defaults={})
    job = api.submit(plan=None, workflow=named, inputs=INPUTS)
    assert job["workflow"]["version"] == version
    assert stored_job(api, job["id"]).priority == (7 if version == 1 else 5)
    estimated = api.post("/v1/jobs/estimate", json={"workflow": named, "inputs": INPUTS})
    assert estimated.status_code == 200, estimated.text
    assert estimated.get_json()["plan"] == REDACT_PLAN


def test_a_goal_with_options_is_a_workflow_too(api: Api) -> None:
    defaults = {"planning": "rules", "approval": "plan"}
    create(api, plan=None, goal="Redact all personal data", defaults=defaults)
    job = api.post("/v1/workflows/triage/runs", json={"inputs": INPUTS}).get_json()
    assert job["goal"] == "Redact all personal data"
    assert job["approval"] == "plan"
    asked_less = {"inputs": INPUTS, "approval": "none"}
    job = api.post("/v1/workflows/triage/runs", json=asked_less).get_json()
    assert job["approval"] == "none"
    assert stored_job(api, job["id"]).planning == "rules"


def test_a_run_takes_files_as_a_job_does(api: Api) -> None:
    create(api)
    data = {
        "job": (b'{"inputs": {"tickets": {"key": "id"}}}', None, "application/json"),
        "tickets": (b"id,text\n1,mail me at a@example.com\n", "tickets.csv"),
    }
    parts = {name: (_stream(value[0]), *value[1:]) for name, value in data.items()}
    answer = api.post("/v1/workflows/triage/runs", data=parts, content_type="multipart/form-data")
    assert answer.status_code == 202, answer.text


def _stream(content: bytes) -> Any:
    from io import BytesIO

    return BytesIO(content)


def test_a_deleted_workflow_is_gone_and_its_jobs_keep_what_they_ran(api: Api) -> None:
    made = create(api)
    job = api.post("/v1/workflows/triage/runs", json={"inputs": INPUTS}).get_json()

    assert api.send("DELETE", "/v1/workflows/triage").status_code == 204

    for method, path in (("GET", ""), ("GET", "/versions"), ("DELETE", ""), ("POST", "/runs")):
        rest = {"json": {"inputs": INPUTS}} if method == "POST" else {}
        answer = api.send(method, f"/v1/workflows/triage{path}", **rest)
        problem(answer, 404, "not_found")
    assert api.get(f"/v1/jobs/{job['id']}").get_json()["workflow"]["id"] == made["id"]
    assert stored_job(api, job["id"]).given_plan == REDACT_PLAN
    again = create(api)
    assert again["version"] == 1
    assert again["id"] != made["id"]


def test_what_is_made_of_a_run_is_one_too_unless_its_plan_is_another(api: Api) -> None:
    create(api)
    job = api.post("/v1/workflows/triage/runs", json={"inputs": INPUTS}).get_json()
    record = FinalRecord("failed", {"code": "x", "detail": "y"}, None, None, {"units": 0}, {}, [])
    with api.database.begin() as tx:
        assert jobs.finish(tx, job["id"], record)

    path = f"/v1/jobs/{job['id']}"
    assert api.post(f"{path}/retry").get_json()["workflow"] == job["workflow"]
    assert api.post(f"{path}/fork", json={}).get_json()["workflow"] == job["workflow"]
    other = {"plan": {**REDACT_PLAN, "brief": "Be thorough."}}
    assert api.post(f"{path}/fork", json=other).get_json()["workflow"] is None


def test_another_project_has_its_own_names_and_sees_none_of_these(api: Api) -> None:
    create(api)
    other = {"Authorization": f"Bearer {api.other}"}
    unknown = api.get("/v1/workflows/nobodys", headers=other).get_json()
    for method, path in (("GET", ""), ("GET", "/versions"), ("DELETE", ""), ("POST", "/runs")):
        rest = {"json": {"inputs": INPUTS}} if method == "POST" else {}
        answer = api.send(method, f"/v1/workflows/triage{path}", headers=other, **rest)
        body = problem(answer, 404, "not_found")
        assert {**body, "request_id": ""} == {**unknown, "request_id": ""}
    answer = api.post("/v1/jobs", json={"workflow": "triage", "inputs": INPUTS}, headers=other)
    problem(answer, 404, "not_found", "/workflow")
    assert api.get("/v1/workflows", headers=other).get_json()["items"] == []
    theirs = api.post("/v1/workflows", json=TRIAGE, headers=other).get_json()
    assert theirs["version"] == 1
    assert api.get("/v1/workflows/triage").get_json()["version"] == 1


def test_reading_and_writing_need_their_scopes(api: Api) -> None:
    create(api)
    reader = {"Authorization": f"Bearer {api.key_with('jobs:read')}"}
    writer = {"Authorization": f"Bearer {api.key_with('jobs:write')}"}
    assert api.get("/v1/workflows/triage", headers=reader).status_code == 200
    problem(api.get("/v1/workflows", headers=writer), 403, "missing_scope")
    problem(api.post("/v1/workflows", json=TRIAGE, headers=reader), 403, "missing_scope")
    problem(api.send("DELETE", "/v1/workflows/triage", headers=reader), 403, "missing_scope")
    run = api.post("/v1/workflows/triage/runs", json={}, headers=reader)
    problem(run, 403, "missing_scope")


def test_a_repeated_key_gives_the_same_version_and_the_same_job(api: Api) -> None:
    once = {"Idempotency-Key": "one"}
    first = api.post("/v1/workflows", json=TRIAGE, headers=once)
    again = api.post("/v1/workflows", json=TRIAGE, headers=once)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.get_json() == first.get_json()
    assert api.get("/v1/workflows/triage").get_json()["version"] == 1
    twice = {"Idempotency-Key": "two"}
    runs = [
        api.post("/v1/workflows/triage/runs", json={"inputs": INPUTS}, headers=twice).get_json()
        for _ in range(2)
    ]
    assert runs[0]["id"] == runs[1]["id"]


BAD_PLAN = {**REDACT_PLAN, "stages": [{**REDACT_PLAN["stages"][0], "capability": "redcat"}]}
NO_PARAMS = {**REDACT_PLAN, "stages": [{**REDACT_PLAN["stages"][0], "params": {}}]}


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"name": "Triage"}, "invalid", "/name"),
        ({"name": "a/b"}, "invalid", "/name"),
        ({"name": "a\0"}, "invalid", "/name"),
        ({"name": ""}, "invalid", "/name"),
        ({"name": "a" * 64}, "invalid", "/name"),
        ({"name": 1}, "invalid", "/name"),
        ({"plan": None}, "invalid", "/goal"),
        ({"inputs": {}}, "invalid", "/inputs"),
        ({"plan": []}, "plan_invalid", "/plan"),
        ({"plan": {"version": 1}}, "plan_invalid", "/plan/stages"),
        ({"plan": BAD_PLAN}, "plan_invalid", "/plan/stages/0/capability"),
        ({"plan": NO_PARAMS}, "plan_invalid", "/plan/stages/0/params"),
        ({"defaults": {"planning": "rules"}}, "invalid", "/defaults/planning"),
        ({"defaults": {"policy": {"priority": 11}}}, "invalid", "/defaults/policy/priority"),
        ({"defaults": {"goal": "x"}}, "invalid", "/defaults/goal"),
        ({"defaults": {"models": {"worker": "x"}}}, "model_not_configured",
         "/defaults/models/worker"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_definition_is_told_when_it_is_made(
    api: Api, changes: dict[str, Any], code: str, pointer: str
) -> None:
    before = api.kept()
    problem(api.post("/v1/workflows", json={**TRIAGE, **changes}), 422, code, pointer)
    assert api.kept() == before
    assert api.get("/v1/workflows").get_json()["items"] == []


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"inputs": {}}, 422, "invalid", "/inputs/tickets"),
        ({"inputs": INPUTS, "goal": "x"}, 422, "invalid", "/goal"),
        ({"inputs": INPUTS, "plan": REDACT_PLAN}, 422, "invalid", "/plan"),
        ({"inputs": INPUTS, "version": 0}, 422, "invalid", "/version"),
        ({"inputs": INPUTS, "version": "1"}, 422, "invalid", "/version"),
        ({"inputs": INPUTS, "version": 2}, 404, "not_found", None),
        ({"inputs": {"tickets": {"rows": [{"a": 1}]}}}, 422, "plan_invalid",
         "/plan/stages/0/params/field"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_run_is_told_and_nothing_is_kept(
    api: Api, body: Any, status: int, code: str, pointer: str | None
) -> None:
    create(api)
    before = api.kept()
    problem(api.post("/v1/workflows/triage/runs", json=body), status, code, pointer)
    assert api.kept() == before


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"goal": "x"}, "/goal"),
        ({"output": {"type": "object"}}, "/output"),
        ({"planning": "rules"}, "/planning"),
        ({"workflow": "No Name"}, "/workflow"),
        ({"workflow": {"version": 1}}, "/workflow/name"),
        ({"workflow": {"name": "triage", "version": 1.5}}, "/workflow/version"),
        ({"workflow": 3}, "/workflow"),
    ],
)
def test_a_job_says_nothing_anew_that_its_workflow_says(
    api: Api, changes: dict[str, Any], pointer: str
) -> None:
    create(api)
    body = {"workflow": "triage", "inputs": INPUTS, **changes}
    problem(api.post("/v1/jobs", json=body), 422, "invalid", pointer)


def test_who_defined_and_deleted_a_workflow_is_in_the_audit_log(api: Api) -> None:
    made = create(api)
    api.send("DELETE", "/v1/workflows/triage")
    with api.database.connect() as connection:
        rows = connection.execute(
            text("SELECT action, actor, detail FROM audit_log WHERE object_id = :id ORDER BY id"),
            {"id": made["id"]},
        ).all()
    assert [row.action for row in rows] == ["workflow.create", "workflow.delete"]
    assert all(row.actor.startswith("key:") for row in rows)
    assert rows[0].detail == {"name": "triage", "version": 1}
