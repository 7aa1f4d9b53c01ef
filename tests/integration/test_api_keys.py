"""Keys, projects and what an operator may: through the HTTP door, on a real database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from shared.actions.actor import SCOPES, SYSTEM
from shared.actions.keys import create_key
from shared.settings import Settings
from tests.integration.api_door import Api, problem

UNKNOWN_KEY = "key_" + "0" * 26
UNKNOWN_PROJECT = "prj_" + "0" * 26


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def operator(api: Api) -> dict[str, str]:
    with api.database.begin() as tx:
        _, secret = create_key(tx, api.project_id, "operator", (*SCOPES, SYSTEM))
    return bearer(secret)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def make(api: Api, **fields: Any) -> dict[str, Any]:
    answer = api.post("/v1/api-keys", json={"name": "n", "role": "viewer", **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/v1/api-keys/{answer.get_json()['id']}"
    return dict(answer.get_json())


def status_with(api: Api, secret: str, path: str = "/v1/jobs") -> int:
    return api.get(path, headers=bearer(secret)).status_code


def test_a_key_opens_what_its_role_says_and_its_secret_is_shown_once(api: Api) -> None:
    made = make(api)
    assert made["role"] == "viewer"
    assert made["scopes"] == ["jobs:read", "tables:read"]
    assert status_with(api, made["secret"]) == 200
    refused = api.post("/v1/jobs", json={"goal": "x"}, headers=bearer(made["secret"]))
    problem(refused, 403, "missing_scope")

    shown = api.get(f"/v1/api-keys/{made['id']}").get_json()
    assert shown.keys() == made.keys() - {"secret"}
    assert all(shown[name] == made[name] for name in shown.keys() - {"last_used_at"})
    listed = api.get("/v1/api-keys").get_json()
    assert made["id"] in [key["id"] for key in listed["items"]]
    assert made["secret"] not in str(listed)
    with api.database.connect() as connection:
        rows = str(connection.execute(text("SELECT * FROM api_keys")).all())
    assert made["secret"] not in rows


def test_a_key_that_was_used_says_when(api: Api) -> None:
    made = make(api)
    assert made["last_used_at"] is None
    status_with(api, made["secret"])
    api.close()  # writes what waits
    shown = api.get(f"/v1/api-keys/{made['id']}").get_json()
    assert shown["last_used_at"] is not None


def test_a_rotated_key_opens_with_both_secrets_while_they_overlap(api: Api) -> None:
    made = make(api)
    rotated = api.post(f"/v1/api-keys/{made['id']}/rotate", json={"overlap_s": 600}).get_json()
    assert rotated["id"] == made["id"]
    assert rotated["secret"] != made["secret"]
    assert rotated["former_secret_until"] is not None
    assert status_with(api, made["secret"]) == status_with(api, rotated["secret"]) == 200

    with api.database.begin() as tx:  # the overlap is over
        tx.execute(text("UPDATE api_keys SET former_until = now() - interval '1 s'"))
    assert status_with(api, made["secret"]) == 401
    assert status_with(api, rotated["secret"]) == 200


def test_a_rotation_without_overlap_ends_the_former_secret_at_once(api: Api) -> None:
    made = make(api)
    rotated = api.post(f"/v1/api-keys/{made['id']}/rotate", json={"overlap_s": 0}).get_json()
    assert rotated["former_secret_until"] is None
    assert status_with(api, made["secret"]) == 401
    assert status_with(api, rotated["secret"]) == 200


def test_a_second_rotation_leaves_two_secrets_not_three(api: Api) -> None:
    first = make(api)
    path = f"/v1/api-keys/{first['id']}/rotate"
    second, third = api.post(path).get_json(), api.post(path).get_json()
    found = [status_with(api, one["secret"]) for one in (first, second, third)]
    assert found == [401, 200, 200]


def test_a_revoked_key_opens_nothing_not_even_with_its_former_secret(api: Api) -> None:
    made = make(api)
    rotated = api.post(f"/v1/api-keys/{made['id']}/rotate").get_json()
    for _ in range(2):
        assert api.send("DELETE", f"/v1/api-keys/{made['id']}").status_code == 204
    assert status_with(api, made["secret"]) == status_with(api, rotated["secret"]) == 401
    assert api.get(f"/v1/api-keys/{made['id']}").get_json()["status"] == "revoked"
    problem(api.post(f"/v1/api-keys/{made['id']}/rotate"), 409, "wrong_state")
    with api.database.connect() as connection:
        revoked = connection.execute(
            text("SELECT count(*) FROM audit_log WHERE action = 'key.revoke'")
        ).scalar_one()
    assert revoked == 1


def test_an_expired_key_is_told_as_such_and_opens_nothing(api: Api) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = make(api, expires_at=soon)
    assert status_with(api, made["secret"]) == 200
    with api.database.begin() as tx:
        tx.execute(
            text("UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = :id"),
            {"id": made["id"]},
        )
    assert status_with(api, made["secret"]) == 401
    assert api.get(f"/v1/api-keys/{made['id']}").get_json()["status"] == "expired"
    problem(api.post(f"/v1/api-keys/{made['id']}/rotate"), 409, "wrong_state")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"role": "viewer"}, "/name"),
        ({"name": " ", "role": "viewer"}, "/name"),
        ({"name": "n"}, "/role"),
        ({"name": "n", "role": "viewer", "scopes": ["jobs:read"]}, "/role"),
        ({"name": "n", "role": "king"}, "/role"),
        ({"name": "n", "scopes": []}, "/scopes"),
        ({"name": "n", "scopes": ["jobs:burn"]}, "/scopes/0"),
        ({"name": "n", "role": "viewer", "expires_at": "soon"}, "/expires_at"),
        ({"name": "n", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "n", "role": "viewer", "requests_per_minute": -1}, "/requests_per_minute"),
        ({"name": "n", "role": "viewer", "project": "mine"}, "/project"),
        ({"name": "n", "role": "viewer", "secret": "apwa_x"}, "/secret"),
    ],
)
def test_a_key_that_is_asked_for_wrongly_is_not_made(
    api: Api, body: dict[str, Any], pointer: str
) -> None:
    before = len(api.get("/v1/api-keys").get_json()["items"])
    problem(api.post("/v1/api-keys", json=body), 422, "invalid", pointer)
    assert len(api.get("/v1/api-keys").get_json()["items"]) == before


def test_an_admin_cannot_make_or_take_what_it_lacks(api: Api) -> None:
    asked = api.post("/v1/api-keys", json={"name": "n", "scopes": ["admin", "system"]})
    problem(asked, 403, "missing_scope", "/scopes")
    with api.database.begin() as tx:
        mighty, _ = create_key(tx, api.project_id, "operator", (*SCOPES, SYSTEM))
    problem(api.post(f"/v1/api-keys/{mighty}/rotate"), 403, "missing_scope")
    problem(api.send("DELETE", f"/v1/api-keys/{mighty}"), 403, "missing_scope")
    asked = api.post(
        "/v1/api-keys", json={"name": "n", "role": "viewer"},
        headers=bearer(api.key_with("jobs:read", "jobs:write", "hooks:admin")),
    )  # fmt: skip
    problem(asked, 403, "missing_scope")


def test_another_projects_keys_do_not_exist(api: Api) -> None:
    made = make(api)
    other = bearer(api.other)
    for method, path in (
        ("GET", "/v1/api-keys/{}"), ("DELETE", "/v1/api-keys/{}"),
        ("POST", "/v1/api-keys/{}/rotate"),
    ):  # fmt: skip
        bodies = []
        for key_id in (made["id"], UNKNOWN_KEY):
            answer = api.send(method, path.format(key_id), headers=other)
            body = problem(answer, 404, "not_found")
            bodies.append({**body, "request_id": None})
        assert bodies[0] == bodies[1]
    assert status_with(api, made["secret"]) == 200
    assert made["id"] not in api.get("/v1/api-keys", headers=other).text


def test_one_idempotency_key_makes_one_key_and_keeps_no_secret_in_the_open(api: Api) -> None:
    headers = {"Idempotency-Key": "k1"}
    body = {"name": "n", "role": "viewer"}
    first = api.post("/v1/api-keys", json=body, headers=headers)
    again = api.post("/v1/api-keys", json=body, headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.get_json()["id"] == first.get_json()["id"]
    with api.database.connect() as connection:
        kept = str(connection.execute(text("SELECT body FROM idempotency_keys")).all())
    assert first.get_json()["secret"] not in kept


def test_keys_are_listed_page_by_page(api: Api) -> None:
    made = {make(api)["id"] for _ in range(3)}
    found, cursor = [], ""
    while True:
        page = api.get(f"/v1/api-keys?limit=2{cursor}").get_json()
        found += [key["id"] for key in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert made <= set(found)
    assert found == sorted(set(found), reverse=True)


def test_an_operator_makes_a_project_and_its_first_key(api: Api) -> None:
    as_operator = operator(api)
    made = api.post(
        "/v1/projects", json={"name": "acme", "weight": 3, "quotas": {"concurrent_jobs": 7}},
        headers=as_operator,
    )  # fmt: skip
    assert made.status_code == 201, made.text
    project = made.get_json()
    assert made.headers["Location"] == f"/v1/projects/{project['id']}"
    assert project["quotas"]["concurrent_jobs"] == 7
    assert project["own_quotas"] == ["concurrent_jobs"]
    key = api.post(
        "/v1/api-keys", json={"name": "first", "role": "admin", "project": project["id"]},
        headers=as_operator,
    ).get_json()  # fmt: skip
    assert key["project"] == project["id"]

    theirs = bearer(key["secret"])
    seen = api.get("/v1/projects", headers=theirs).get_json()["items"]
    assert [one["id"] for one in seen] == [project["id"]]
    assert len(api.get("/v1/projects", headers=as_operator).get_json()["items"]) == 3
    listed = api.get(f"/v1/api-keys?project={project['id']}", headers=as_operator).get_json()
    assert [one["id"] for one in listed["items"]] == [key["id"]]


def test_an_operator_changes_a_project_and_every_change_is_audited(api: Api) -> None:
    as_operator, path = operator(api), f"/v1/projects/{api.project_id}"
    changes = {
        "weight": 5, "allow_external": True, "tools": ["fetch"],
        "default_budget": {"usd": 2.5}, "budget": {"tokens": 1_000},
        "quotas": {"rows_per_job": 10, "stored_bytes": 0},
    }  # fmt: skip
    changed = api.send("PATCH", path, json=changes, headers=as_operator).get_json()
    assert (changed["weight"], changed["allow_external"], changed["tools"]) == (5, True, ["fetch"])
    assert changed["default_budget"] == {"usd": 2.5, "tokens": None, "seconds": None}
    assert changed["budget"] == {"usd": None, "tokens": 1_000, "seconds": None}
    assert changed["quotas"]["stored_bytes"] == 0

    again = api.send(
        "PATCH", path, headers=as_operator,
        json={"tools": None, "quotas": {"rows_per_job": None}, "default_budget": {"tokens": 9}},
    ).get_json()  # fmt: skip
    assert again["tools"] is None
    assert again["own_quotas"] == ["stored_bytes"]
    assert again["default_budget"] == {"usd": 2.5, "tokens": 9, "seconds": None}
    assert again["weight"] == 5
    log = api.get(f"/v1/audit-log?object={api.project_id}").get_json()["items"]
    told = [entry["detail"] for entry in log if entry["action"] == "project.edit"]
    assert told[1] == changes
    assert all(entry["actor"].startswith("key:key_") for entry in log)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"weight": 0}, "/weight"),
        ({"tools": ["teleport"]}, "/tools"),
        ({"quotas": {"rows": 1}}, "/quotas/rows"),
        ({"quotas": {"rows_per_job": -1}}, "/quotas/rows_per_job"),
        ({"default_budget": {"usd": -1}}, "/default_budget/usd"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_a_project_is_not_changed_by_what_is_wrong(
    api: Api, body: dict[str, Any], pointer: str
) -> None:
    path = f"/v1/projects/{api.project_id}"
    answer = api.send("PATCH", path, json={"name": "renamed", **body}, headers=operator(api))
    problem(answer, 422, "invalid", pointer)
    assert api.get(path).get_json()["name"] == "default"


def test_two_projects_cannot_have_one_name(api: Api) -> None:
    as_operator = operator(api)
    made = api.post("/v1/projects", json={"name": "other"}, headers=as_operator)
    problem(made, 409, "name_taken", "/name")
    path = f"/v1/projects/{api.project_id}"
    renamed = api.send("PATCH", path, json={"name": "other"}, headers=as_operator)
    problem(renamed, 409, "name_taken", "/name")


def test_an_admin_sees_its_project_and_cannot_change_it_nor_see_others(api: Api) -> None:
    own = f"/v1/projects/{api.project_id}"
    assert api.get(own).get_json()["name"] == "default"
    problem(api.send("PATCH", own, json={"weight": 2}), 403, "missing_scope")
    problem(api.post("/v1/projects", json={"name": "mine"}), 403, "missing_scope")
    for method in ("GET", "PATCH"):
        bodies = []
        for project_id in (api.project_id, UNKNOWN_PROJECT):
            answer = api.send(
                method, f"/v1/projects/{project_id}", headers=bearer(api.other), json={}
            )
            bodies.append({**problem(answer, 404, "not_found"), "request_id": None})
        assert bodies[0] == bodies[1]
    asked = api.post(
        "/v1/api-keys", json={"name": "n", "role": "viewer", "project": api.project_id},
        headers=bearer(api.other),
    )  # fmt: skip
    problem(asked, 404, "not_found", "/project")


def test_the_audit_log_is_of_the_own_project_filtered_and_paged(api: Api) -> None:
    made = [make(api) for _ in range(3)]
    path = "/v1/audit-log?action=key.create&limit=2"
    first = api.get(path).get_json()
    rest = api.get(f"{path}&cursor={first['next_cursor']}").get_json()
    entries = first["items"] + rest["items"]
    assert [one["object"] for one in entries[:3]] == [one["id"] for one in reversed(made)]
    assert api.get(f"/v1/audit-log?object={made[0]['id']}").get_json()["items"] == [
        entry for entry in entries if entry["object"] == made[0]["id"]
    ]
    actor = entries[0]["actor"]
    own = api.get(f"/v1/audit-log?actor={actor}").get_json()["items"]
    assert {one["actor"] for one in own} == {actor}
    assert api.get("/v1/audit-log?actor=nobody").get_json()["items"] == []
    assert made[0]["id"] not in api.get("/v1/audit-log", headers=bearer(api.other)).text
    everything = api.get("/v1/audit-log", headers=operator(api)).get_json()["items"]
    assert len({one["project"] for one in everything}) == 2
    problem(
        api.get(f"/v1/audit-log?project={api.project_id}", headers=bearer(api.other)),
        404, "not_found",
    )  # fmt: skip
    with_cursor = f"/v1/audit-log?action=other&cursor={first['next_cursor']}"
    problem(api.get(with_cursor), 422, "invalid", "/query/cursor")
