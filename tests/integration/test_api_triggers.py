"""Triggers by the door: what may be made, what a sender is told, and what comes of it."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import g
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from services.api.openapi import document
from services.api.trigger_body import changed, changed_target, load_changes
from services.collector.erase_deleted import erase_deleted
from services.collector.retain import retain
from services.collector.start_triggered import start_triggered
from shared.actions.actor import SCOPES, Actor
from shared.database import trigger_deliveries, triggers
from shared.database.triggers import TriggerRecord
from shared.settings import Settings
from tests.hooks import SECRET, github_issue, posted, stripe_event
from tests.integration.api_door import REDACT_PLAN, TICKETS, Api, problem
from tests.integration.test_api_docs import check
from tests.stack import SECRET_KEY

PLAN = {**REDACT_PLAN, "stages": [{**REDACT_PLAN["stages"][0], "over": "issue"}]}
MAPPING: dict[str, Any] = {
    "inputs": {"issue": {"object": {"number": "/issue/number", "text": "/issue/body"}}},
    "labels": {"repo": "/repository/full_name"},
}
TRIGGER: dict[str, Any] = {
    "name": "issues",
    "scheme": "github",
    "secret": SECRET,
    "when": [
        {"header": "X-GitHub-Event", "equals": "issues"},
        {"pointer": "/action", "in": ["opened", "reopened"]},
    ],
    "job": {"plan": PLAN, "labels": {"from": "github"}},
    "mapping": MAPPING,
}
STANDARD_SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
STREAM = {"stream": True, "columns": {"id": "string", "text": "string"}, "key": "id"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, secret_keys=SECRET_KEY, webhook_loopback=True)


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def create(api: Api, **changes: Any) -> dict[str, Any]:
    answer = api.post("/v1/triggers", json={**TRIGGER, **changes})
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def hook(api: Api, trigger: dict[str, Any], delivery: tuple[bytes, dict[str, str]]) -> TestResponse:
    """Post as a sender does: without a key."""
    body, headers = delivery
    return api.client.post(trigger["links"]["hook"], data=body, headers=headers)


def github(payload: Any = None, **rest: Any) -> tuple[bytes, dict[str, str]]:
    return posted("github", github_issue() if payload is None else payload, **rest)


def work(api: Api) -> list[str]:
    """Do what the collector does with what is stored; return the jobs made."""
    made: list[str] = []
    start_triggered(api.database, api.settings, made.append)
    return made


def deliveries(api: Api, trigger: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    return list(api.get(trigger["links"]["deliveries"] + query).get_json()["items"])


def replay(api: Api, trigger: dict[str, Any], delivery_id: str, **rest: Any) -> TestResponse:
    return api.post(f"{trigger['links']['deliveries']}/{delivery_id}/replay", **rest)


def do(api: Api, statement: str, **values: Any) -> Any:
    with api.database.begin() as connection:
        found = connection.execute(text(statement), values)
        return found.all() if found.returns_rows else None


# --- making and changing -----------------------------------------------------------------------


def test_a_trigger_is_made_shown_changed_and_deleted_and_its_secret_is_nowhere(api: Api) -> None:
    answer = api.post("/v1/triggers", json=TRIGGER, headers={"Idempotency-Key": "one"})
    made = answer.get_json()
    assert answer.headers["Location"] == f"/v1/triggers/{made['id']}"
    assert (made["name"], made["enabled"], made["scheme"]) == ("issues", True, "github")
    assert made["limits"] == {"jobs_per_hour": 100, "usd_per_day": 10.0}
    assert made["links"]["hook"] == f"/hooks/{made['id']}"
    again = api.post("/v1/triggers", json=TRIGGER, headers={"Idempotency-Key": "one"})
    assert again.get_json() == made
    assert api.get("/v1/triggers").get_json()["items"] == [made]

    own = made["links"]["self"]
    changes = {"enabled": False, "limits": {"jobs_per_hour": None}, "when": []}
    edited = api.send("PATCH", own, json=changes).get_json()
    assert edited == {**made, **changes, "limits": {"jobs_per_hour": None, "usd_per_day": 10.0},
                      "updated_at": edited["updated_at"]}  # fmt: skip
    assert api.get(own).get_json() == edited

    assert SECRET not in answer.text + str(
        do(api, "SELECT * FROM triggers") + do(api, "SELECT * FROM idempotency_keys")
        + do(api, "SELECT * FROM audit_log")
    )  # fmt: skip
    assert api.send("DELETE", own).status_code == 204
    problem(api.get(own), 404, "not_found")
    actions = [row[0] for row in do(api, "SELECT action FROM audit_log ORDER BY id")]
    assert [one for one in actions if one.startswith("trigger")] == [
        "trigger.create", "trigger.edit", "trigger.delete",
    ]  # fmt: skip


NO_TRIGGERS: list[tuple[dict[str, Any], str]] = [
    ({"scheme": "fax"}, "/scheme"),
    ({"secret": "short"}, "/secret"),
    ({"scheme": "standard"}, "/secret"),
    ({"name": " "}, "/name"),
    ({"options": {"header": "X"}}, "/options/header"),
    ({"scheme": "token", "options": {"encoding": "hex"}}, "/options/encoding"),
    ({"when": [{"pointer": "a", "exists": True}]}, "/when/0/pointer"),
    ({"when": [{"pointer": "/a"}]}, "/when/0"),
    ({"when": [{"exists": True}]}, "/when/0"),
    ({"when": [{"header": "X", "equals": 1, "exists": True}]}, "/when/0"),
    ({"job": None, "mapping": None}, "/job"),
    ({"records": {"job": "job_1", "rows": ""}}, "/job"),
    ({"job": {"plan": PLAN, "policy": {"priority": 11}}}, "/job/policy/priority"),
    ({"job": {"plan": PLAN, "policy": {"budget": {"usd": -1}}}}, "/job/policy/budget/usd"),
    ({"job": {"plan": PLAN, "nonsense": 1}}, "/job/nonsense"),
    ({"job": {"plan": PLAN, "inputs": {"issue": {"rows": []}}}}, "/job/inputs/issue"),
    ({"job": {"plan": PLAN, "inputs": {"more": STREAM}}}, "/job/inputs/more"),
    ({"job": {"goal": "a"}, "mapping": {"goal": "b"}}, "/mapping/goal"),
    ({"mapping": {"goal": "{{ title }}"}, "job": {}}, "/mapping/goal"),
    ({"mapping": {}}, "/mapping/inputs/issue"),
    ({"job": {"plan": {"version": 1}}}, "/job/plan"),
    ({"job": {"goal": "a", "models": {"worker": "nobody"}}}, "/job/models/worker"),
    ({"job": {"goal": "a", "webhook": {"url": "http://10.0.0.1/"}}}, "/job/webhook/url"),
    ({"job": {"goal": "a", "inputs": {"a": {"url": "http://10.0.0.1/"}}}}, "/job/inputs/a/url"),
    ({"mapping": {"inputs": {"a": {"rows": "/a", "text": "/b"}}}}, "/mapping/inputs/a"),
    ({"mapping": {"inputs": {"a.b": {"rows": "/a"}}}}, "/mapping/inputs/a.b"),
    ({"limits": {"jobs_per_hour": -1}}, "/limits/jobs_per_hour"),
    ({"overlap_s": 5}, "/overlap_s"),
]


def test_what_is_no_trigger_is_refused_with_its_place(api: Api) -> None:
    for changes, pointer in NO_TRIGGERS:
        answer = api.post("/v1/triggers", json={**TRIGGER, **changes})
        assert answer.status_code == 422, (changes, answer.text)
        pointers = [one["pointer"] for one in answer.get_json()["errors"]]
        near = [one for one in pointers if one == pointer or one.startswith(f"{pointer}/")]
        assert near, (changes, answer.text)
    assert api.kept()["triggers"] == 0


def test_a_change_that_would_be_no_trigger_is_refused_and_others_are_checked_alone(
    api: Api,
) -> None:
    made = create(api)
    own = made["links"]["self"]
    problem(api.send("PATCH", own, json={"records": {"job": "x", "rows": ""}}), 422, "invalid")
    problem(api.send("PATCH", own, json={"scheme": "hmac"}), 422, "invalid", "/secret")
    problem(api.send("PATCH", own, json={"overlap_s": 5}), 422, "invalid", "/overlap_s")
    problem(api.send("PATCH", own, json={"id": "x"}), 422, "invalid", "/id")
    assert api.get(own).get_json() == made
    do(api, "UPDATE triggers SET target = jsonb_set(target, '{job,models}', '{\"worker\": \"x\"}')")
    assert api.send("PATCH", own, json={"enabled": False}).status_code == 200


def test_what_fed_a_stream_and_makes_jobs_now_has_the_limits_of_a_new_trigger(api: Api) -> None:
    job_id = api.submit(inputs={"tickets": STREAM})["id"]
    records = {"job": job_id, "rows": "/rows"}
    fed = create(api, job=None, mapping=None, records=records)
    assert fed["limits"] == {"jobs_per_hour": None, "usd_per_day": None}
    target = {"records": None, "job": TRIGGER["job"], "mapping": MAPPING}

    changed = api.send("PATCH", fed["links"]["self"], json=target).get_json()

    assert changed["limits"] == {"jobs_per_hour": 100, "usd_per_day": 10.0}
    back = {"records": records, "job": None, "mapping": None}
    assert api.send("PATCH", fed["links"]["self"], json=back).get_json()["limits"] == fed["limits"]
    unlimited = {**target, "limits": {"jobs_per_hour": None}}
    changed = api.send("PATCH", fed["links"]["self"], json=unlimited).get_json()
    assert changed["limits"] == {"jobs_per_hour": None, "usd_per_day": 10.0}


def test_another_job_is_checked_before_the_trigger_is_locked(api: Api) -> None:
    # given somebody who holds the row of a trigger for as long as they like
    trigger = create(api)
    own = trigger["links"]["self"]
    with api.database.begin() as holder:
        triggers.lock(holder, trigger["id"])

        # when a job comes that is none, then that is told without waiting for the row
        problem(api.send("PATCH", own, json={"job": {"nonsense": 1}}), 422, "invalid")


def test_a_change_that_another_one_overtook_is_checked_again(api: Api) -> None:
    made = create(api)
    with api.app.test_request_context():
        g.actor, g.request_id = Actor(api.project_id, None, frozenset(SCOPES)), "req"
        known = _trigger(api, made)
        given = load_changes({"mapping": {**MAPPING, "labels": {}}})
        checked = changed_target(known, given)
        edited = {**TRIGGER["job"], "labels": {"from": "elsewhere"}}
        assert api.send("PATCH", made["links"]["self"], json={"job": edited}).status_code == 200

        facts = changed(_trigger(api, made), given, checked)

    assert facts.target == {"job": edited, "mapping": {**MAPPING, "labels": {}}}
    assert facts.prepared is not None
    assert facts.prepared["request"]["labels"] == {"from": "elsewhere"}


def _trigger(api: Api, made: dict[str, Any]) -> TriggerRecord:
    with api.database.connect() as connection:
        found = triggers.find(connection, made["id"], api.project_id)
    assert found is not None
    return found


def test_without_keys_that_seal_it_says_which_setting_is_missing(
    settings: Settings, database: Engine
) -> None:
    made = Api(replace(settings, secret_keys=""), database)
    try:
        answer = made.post("/v1/triggers", json=TRIGGER)
        assert "APWA_SECRET_KEYS" in problem(answer, 503, "secrets_not_configured")["detail"]
        assert made.kept()["triggers"] == 0
    finally:
        made.close()


def test_another_project_and_a_key_without_the_scope_see_nothing(api: Api) -> None:
    trigger = create(api)
    stored = hook(api, trigger, github()).get_json()["id"]
    own, theirs = trigger["links"]["self"], {"Authorization": f"Bearer {api.other}"}
    weak = {"Authorization": f"Bearer {api.key_with('jobs:write', 'jobs:read')}"}
    body = {"json": {"payload": {}}}
    for method, path, rest in (
        ("GET", own, {}),
        ("PATCH", own, {"json": {"name": "x"}}),
        ("DELETE", own, {}),
        ("POST", f"{own}/simulate", body),
        ("GET", f"{own}/deliveries", {}),
        ("GET", f"{own}/deliveries/{stored}", {}),
        ("POST", f"{own}/deliveries/{stored}/replay", {}),
    ):
        stranger = api.send(method, path, headers=theirs, **rest)
        unknown = own[:-26] + "0" * 26
        nobody = api.send(method, path.replace(own, unknown), **rest)
        assert problem(stranger, 404, "not_found")["detail"] == nobody.get_json()["detail"]
        problem(api.send(method, path, headers=weak, **rest), 403, "missing_scope")
    other = create(api, name="other")
    problem(api.get(f"{other['links']['self']}/deliveries/{stored}"), 404, "not_found")
    assert api.send("GET", "/v1/triggers", headers=theirs).get_json()["items"] == []


# --- the hook ----------------------------------------------------------------------------------


SENDERS: list[tuple[str, dict[str, Any]]] = [
    ("standard", {}),
    ("github", {}),
    ("stripe", {}),
    ("hmac", {"header": "X-Sig", "timestamp_header": "X-Time", "id_header": "X-Id"}),
    ("hmac", {}),
    ("token", {"id_header": "X-Id"}),
]


def test_every_scheme_stores_the_genuine_and_refuses_the_rest(api: Api) -> None:
    for scheme, options in SENDERS:
        secret = STANDARD_SECRET if scheme == "standard" else SECRET
        trigger = create(api, scheme=scheme, secret=secret, when=[], options=options)
        sent = {"secret": secret, "options": options}
        body, headers = posted(scheme, github_issue(), id_="one", **sent)

        # forged in any way it is 401, and nothing is stored
        for one in forged(scheme, options, body, headers):
            refused = problem(hook(api, trigger, one), 401, "unauthorized")
            assert SECRET not in refused["detail"]
        assert deliveries(api, trigger) == []

        # the genuine one is stored as it came, makes one job, and is known when it comes again
        first = hook(api, trigger, (body, headers))
        stored = first.get_json()["id"]
        assert (first.status_code, first.get_json()) == (
            202, {"id": stored, "status": "pending", "duplicate": False},
        )  # fmt: skip
        assert len(work(api)) == 1
        for _ in range(10):
            again = hook(api, trigger, (body, headers))
            assert (again.status_code, again.get_json()["id"]) == (200, stored)
            assert again.get_json()["duplicate"]
        assert work(api) == []
        shown = api.get(f"{trigger['links']['deliveries']}/{stored}").get_json()
        assert shown["body"] == body.decode()
        assert SECRET not in json.dumps(shown["headers"])
        assert "authorization" not in shown["headers"]


def forged(
    scheme: str, options: dict[str, Any], body: bytes, headers: dict[str, str]
) -> list[tuple[bytes, dict[str, str]]]:
    """Return what no genuine sender posts now: other secret, missing header, changed, stale."""
    wrong = STANDARD_SECRET[:-4] + "AAA=" if scheme == "standard" else SECRET + "!"
    secret = STANDARD_SECRET if scheme == "standard" else SECRET
    made = [posted(scheme, github_issue(), id_="x", secret=wrong, options=options)]
    made += [
        (body, {name: value for name, value in headers.items() if name != missing})
        for missing in headers
        if missing not in ("content-type", "x-github-event")
    ]
    if scheme != "token":
        made.append((body.replace(b"opened", b"closed"), headers))
    if scheme in ("standard", "stripe") or "timestamp_header" in options:
        stale = 1_700_000_000
        made.append(posted(scheme, github_issue(), now=stale, secret=secret, options=options))
    return made


def test_the_job_says_what_it_came_of(api: Api) -> None:
    trigger = create(api)
    stored = hook(api, trigger, github()).get_json()["id"]
    [job_id] = work(api)
    job = api.get(f"/v1/jobs/{job_id}").get_json()
    assert job["source"] == {"trigger": trigger["id"], "delivery": stored}
    assert job["labels"] == {"from": "github", "repo": "ann/kettle"}
    [listed] = api.get("/v1/jobs").get_json()["items"]
    assert listed["source"] == job["source"]
    [delivery] = deliveries(api, trigger)
    assert (delivery["status"], delivery["job"]) == ("accepted", job_id)
    actor = do(api, "SELECT actor FROM audit_log WHERE object_id = :id", id=job_id)
    assert actor == [(f"trigger:{trigger['id']}",)]


def test_a_goal_is_filled_in_and_a_payload_without_it_fails_and_can_be_replayed(api: Api) -> None:
    job = {"planning": "rules", "policy": {"priority": 7, "budget": {"usd": 0.5}}}
    mapping = {**MAPPING, "goal": "Redact all personal data in the issue {{ /issue/title }}"}
    trigger = create(api, job=job, mapping=mapping, when=[])
    payload = github_issue()
    del payload["issue"]["title"]
    hook(api, trigger, github(payload))
    assert work(api) == []
    [failed] = deliveries(api, trigger, "?status=failed")
    assert failed["reason"]["code"] == "mapping_failed"
    assert failed["reason"]["errors"][0]["pointer"] == "/mapping/goal"

    changed = {**mapping, "goal": "Redact all personal data in issue {{ /issue/number }}"}
    assert api.send("PATCH", trigger["links"]["self"], json={"mapping": changed}).status_code == 200
    assert replay(api, trigger, failed["id"]).status_code == 202
    [job_id] = work(api)
    shown = api.get(f"/v1/jobs/{job_id}").get_json()
    assert shown["goal"] == "Redact all personal data in issue 7"
    stored = do(
        api, "SELECT priority, policy->'budget'->>'usd' FROM jobs WHERE id = :id", id=job_id
    )
    assert stored == [(7, "0.5")]


def test_a_workflow_is_run_in_the_version_of_the_moment(api: Api) -> None:
    flow = {"name": "triage", "plan": PLAN, "defaults": {"labels": {"kind": "triage"}}}
    problem(
        api.post("/v1/triggers", json={**TRIGGER, "job": {"workflow": "triage"}}),
        404, "not_found", "/job/workflow",
    )  # fmt: skip
    assert api.post("/v1/workflows", json=flow).status_code == 201
    answer = api.post(
        "/v1/triggers", json={**TRIGGER, "job": {"workflow": "triage"}, "mapping": {}}
    )
    problem(answer, 422, "invalid", "/mapping/inputs/issue")
    trigger = create(api, job={"workflow": "triage", "policy": {"min_success": 0.5}})
    hook(api, trigger, github())
    assert api.post("/v1/workflows", json=flow).status_code == 201
    hook(api, trigger, github())
    jobs = [api.get(f"/v1/jobs/{one}").get_json() for one in work(api)]
    assert [job["workflow"]["version"] for job in jobs] == [2, 2]
    assert jobs[0]["labels"] == {"kind": "triage", "repo": "ann/kettle"}
    assert jobs[0]["source"]["trigger"] == trigger["id"]


def test_what_does_not_match_and_pings_are_stored_and_make_no_job(api: Api) -> None:
    trigger = create(api)
    for payload, event in ((github_issue(), "ping"), ({"action": "closed"}, "issues")):
        answer = hook(api, trigger, github(payload, event=event))
        assert (answer.status_code, answer.get_json()["status"]) == (200, "ignored")
    assert work(api) == []
    reasons = [one["reason"]["code"] for one in deliveries(api, trigger, "?status=ignored")]
    assert reasons == ["no_match", "ping"]
    assert api.kept()["jobs"] == 0


def test_a_hook_refuses_bodies_that_are_too_large_coded_or_no_json(api: Api) -> None:
    trigger = create(api)
    large = github(b"[" + b" " * api.settings.hook_max_bytes + b"]")
    problem(hook(api, trigger, large), 413, "too_large")
    for bad in (b"", b"{", b"\xff", b'{"a": 1, "a": 2}', b"[" * 100_000, b"NaN"):
        problem(hook(api, trigger, github(bad)), 400, "invalid_json")
    body, headers = github()
    coded = (body, {**headers, "content-encoding": "gzip"})
    problem(hook(api, trigger, coded), 415, "unsupported_media_type")
    assert api.kept()["trigger_deliveries"] == 0


def test_an_unknown_deleted_or_disabled_trigger_is_not_found(api: Api) -> None:
    trigger = create(api)
    unknown = {"links": {"hook": "/hooks/trg_" + "0" * 26}}
    wanted = problem(hook(api, unknown, github()), 404, "not_found")
    problem(hook(api, {"links": {"hook": "/hooks/x"}}, github()), 404, "not_found")
    api.send("PATCH", trigger["links"]["self"], json={"enabled": False})
    assert problem(hook(api, trigger, github()), 404, "not_found")["detail"] == wanted["detail"]
    api.send("PATCH", trigger["links"]["self"], json={"enabled": True})
    assert hook(api, trigger, github()).status_code == 202
    api.send("DELETE", trigger["links"]["self"])
    problem(hook(api, trigger, github()), 404, "not_found")
    assert work(api) == []
    assert api.kept()["trigger_deliveries"] == 0
    assert api.client.get(trigger["links"]["hook"]).status_code == 405


def test_both_secrets_hold_until_the_overlap_is_over(api: Api) -> None:
    trigger = create(api)
    changed = api.send(
        "PATCH", trigger["links"]["self"], json={"secret": SECRET + " 2", "overlap_s": 60}
    ).get_json()
    assert changed["secret"]["former_valid_until"] > changed["secret"]["rotated_at"]
    for secret in (SECRET, SECRET + " 2"):
        assert hook(api, trigger, github(secret=secret)).status_code == 202
    do(api, "UPDATE triggers SET former_until = now() - interval '1 s'")
    problem(hook(api, trigger, github()), 401, "unauthorized")
    assert hook(api, trigger, github(secret=SECRET + " 2")).status_code == 202
    api.send("PATCH", trigger["links"]["self"], json={"secret": SECRET + " 3", "overlap_s": 0})
    problem(hook(api, trigger, github(secret=SECRET + " 2")), 401, "unauthorized")
    assert SECRET not in str(do(api, "SELECT * FROM triggers"))


# --- what becomes of it ------------------------------------------------------------------------


def test_above_the_limits_deliveries_are_held_and_replayed_one_by_one(api: Api) -> None:
    trigger = create(api, limits={"jobs_per_hour": 2})
    for _ in range(4):
        assert hook(api, trigger, github()).status_code == 202
    assert len(work(api)) == 2
    held = deliveries(api, trigger, "?status=held")
    assert [one["reason"]["code"] for one in held] == ["jobs_per_hour"] * 2
    assert api.kept()["tables"] == 2, "nothing of what is held is kept as tables"
    assert replay(api, trigger, held[0]["id"]).get_json()["status"] == "pending"
    assert len(work(api)) == 1
    assert len(deliveries(api, trigger, "?status=held")) == 1
    do(api, "UPDATE jobs SET created_at = now() - interval '61 minutes'")
    hook(api, trigger, github())
    assert len(work(api)) == 1


def test_money_spent_within_a_day_holds_what_comes(api: Api) -> None:
    trigger = create(api, limits={"usd_per_day": 0.5})
    hook(api, trigger, github())
    [job_id] = work(api)
    do(
        api,
        """INSERT INTO spend_accounts (id, project_id, job_id, spent_microusd,
        unknown_microusd, reserved_microusd)
      SELECT id, project_id, id, 300000, 100000, 100000 FROM jobs WHERE id = :id""",
        id=job_id,
    )
    hook(api, trigger, github())
    assert work(api) == []
    assert deliveries(api, trigger)[0]["reason"]["code"] == "usd_per_day"
    do(api, "UPDATE jobs SET created_at = now() - interval '25 hours' WHERE id = :id", id=job_id)
    hook(api, trigger, github())
    assert len(work(api)) == 1


def test_a_delivery_that_made_its_job_is_replayed_as_a_new_one(api: Api) -> None:
    trigger = create(api)
    first = hook(api, trigger, github()).get_json()["id"]
    problem(replay(api, trigger, first), 409, "wrong_state")
    [job_id] = work(api)
    key = {"headers": {"Idempotency-Key": "again"}}
    again = replay(api, trigger, first, **key).get_json()
    assert (again["replay_of"], again["status"]) == (first, "pending")
    assert replay(api, trigger, first, **key).get_json()["id"] == again["id"]
    [second] = work(api)
    assert second != job_id
    assert api.get(f"/v1/jobs/{second}").get_json()["source"]["delivery"] == again["id"]
    assert do(api, "SELECT action FROM audit_log WHERE object_id = :id", id=first) == [
        ("delivery.replay",)
    ]


def test_a_process_that_died_with_a_delivery_is_followed_by_another_and_cannot_double_it(
    api: Api,
) -> None:
    # given a delivery that a process holds
    trigger = create(api)
    hook(api, trigger, github())
    with api.database.begin() as tx:
        lost = trigger_deliveries.claim_one(tx, "lost", 60)
    assert lost is not None
    assert work(api) == []

    # when its claim ends and another process makes the job
    do(api, "UPDATE trigger_deliveries SET claimed_until = now() - interval '1 s'")
    assert len(work(api)) == 1

    # then the first one can settle nothing any more, and a second job is refused
    with api.database.begin() as tx:
        assert not trigger_deliveries.settle(tx, lost, "accepted", job_id="job_x")
    assert api.kept()["jobs"] == 1


def test_a_delivery_that_nobody_survives_fails_in_the_end(api: Api) -> None:
    trigger = create(api)
    hook(api, trigger, github())
    do(api, "UPDATE trigger_deliveries SET tries = 6")
    assert work(api) == []
    [failed] = deliveries(api, trigger)
    assert (failed["status"], failed["reason"]["code"]) == ("failed", "internal")


def test_a_trigger_that_is_disabled_holds_what_it_took_before(api: Api) -> None:
    trigger = create(api)
    stored = hook(api, trigger, github()).get_json()["id"]
    api.send("PATCH", trigger["links"]["self"], json={"enabled": False})
    assert work(api) == []
    assert deliveries(api, trigger)[0]["reason"]["code"] == "trigger_disabled"
    replay(api, trigger, stored)
    assert len(work(api)) == 1


def test_events_feed_a_stream_once_each(api: Api) -> None:
    job_id = api.submit(inputs={"tickets": STREAM})["id"]
    pointers = {"id": "/data/object/id",
                "text": "/data/object/evidence/customer_communication"}  # fmt: skip
    records = {"job": job_id, "object": pointers}
    trigger = create(
        api, scheme="stripe", job=None, mapping=None, records=records,
        when=[{"pointer": "/type", "equals": "charge.dispute.created"}],
    )  # fmt: skip
    assert trigger["limits"] == {"jobs_per_hour": None, "usd_per_day": None}
    for number in (1, 2, 2):
        hook(api, trigger, posted("stripe", stripe_event(number, 500)))
    odd = stripe_event(3, 500)
    odd["data"]["object"]["id"] = 3
    hook(api, trigger, posted("stripe", odd))
    work(api)
    stream = api.get(f"/v1/jobs/{job_id}/records").get_json()
    assert stream["accepted"] == 2
    failed, *good = deliveries(api, trigger)
    assert [one["records"] for one in good] == [{"accepted": 1, "duplicates": 0, "rejected": 0}] * 2
    assert (failed["status"], failed["reason"]["code"]) == ("failed", "records_rejected")
    replay(api, trigger, good[0]["id"])
    work(api)
    assert deliveries(api, trigger)[0]["records"]["duplicates"] == 1
    api.post(f"/v1/jobs/{job_id}/records/end")
    hook(api, trigger, posted("stripe", stripe_event(4, 1)))
    work(api)
    assert deliveries(api, trigger)[0]["reason"]["code"] == "wrong_state"
    problem(
        api.post("/v1/triggers", json={**TRIGGER, "job": None, "mapping": None,
                                       "records": {"job": api.submit()["id"], "rows": ""}}),
        422, "invalid", "/records/job",
    )  # fmt: skip


def test_a_simulation_says_all_and_stores_nothing(api: Api) -> None:
    trigger = create(api)
    path = f"{trigger['links']['self']}/simulate"
    body, headers = github()
    before = api.kept()
    said = api.post(path, json={"headers": headers, "body": body.decode()}).get_json()
    assert (said["verified"], said["reason"], said["matched"]) == (True, None, True)
    assert said["job"]["labels"] == {"from": "github", "repo": "ann/kettle"}
    assert said["job"]["inputs"]["issue"]["rows"][0]["number"] == 7
    assert said["job"]["plan"] == PLAN
    assert (said["findings"], said["problem"]) == ([], None)
    assert said["price"] is not None

    said = api.post(path, json={"payload": {"action": "closed"}}).get_json()
    assert not said["verified"]
    assert "x-hub-signature-256" in said["reason"]
    assert (said["matched"], said["unmet"]) == (False, ["/when/0", "/when/1"])
    assert api.kept() == before
    mapping = {"inputs": {"issue": {"object": {"number": "/issue/number"}}}}
    other = create(api, mapping=mapping)
    before = api.kept()
    theirs = f"{other['links']['self']}/simulate"
    said = api.post(theirs, json={"headers": headers, "payload": github_issue()}).get_json()
    assert said["problem"]["code"] == "plan_invalid"
    assert said["job"]["inputs"]["issue"]["rows"] == [{"number": 7}]
    problem(api.post(path, json={"body": "{"}), 422, "invalid", "/body")
    problem(api.post(path, json={}), 422, "invalid", "/payload")
    assert api.kept() == before

    # and the job it shows is one that the door takes
    said = api.post(path, json={"headers": headers, "body": body.decode()}).get_json()
    assert api.post("/v1/jobs", json=said["job"]).status_code == 202


# --- forgetting --------------------------------------------------------------------------------


def test_events_are_erased_after_their_time_and_stay_known(api: Api) -> None:
    trigger = create(api)
    delivery = github(github_issue(title="zanzibar"), id_="zanzibar-1")
    stored = hook(api, trigger, delivery).get_json()["id"]
    work(api)
    retain(api.database, api.settings)
    path = f"{trigger['links']['deliveries']}/{stored}"
    assert "zanzibar" in api.get(path).text
    do(api, "UPDATE trigger_deliveries SET received_at = now() - interval '31 days'")
    retain(api.database, api.settings)
    shown = api.get(path).get_json()
    assert (shown["headers"], shown["body"], shown["sender_id"]) == (None, None, None)
    assert shown["erased_at"] is not None
    problem(replay(api, trigger, stored), 410, "deleted")
    again = hook(api, trigger, delivery)
    assert (again.status_code, again.get_json()["id"]) == (200, stored)
    assert_forgotten(api)


def test_events_are_erased_with_their_job(api: Api) -> None:
    trigger = create(api)
    stored = hook(api, trigger, github(github_issue(title="zanzibar"))).get_json()["id"]
    [job_id] = work(api)
    do(api, "UPDATE jobs SET status = 'cancelled', finished_at = now()")
    assert api.send("DELETE", f"/v1/jobs/{job_id}").status_code == 202
    path = f"{trigger['links']['deliveries']}/{stored}"
    assert api.get(path).get_json()["body"] is None, "at once, before the collector looks"
    erase_deleted(api.database)
    assert api.get(path).get_json()["erased_at"] is not None
    assert_forgotten(api)


def assert_forgotten(api: Api) -> None:
    found = do(api, "SELECT t::text, convert_from(body, 'UTF8') FROM trigger_deliveries t")
    assert "zanzibar" not in str(found)


def test_lists_have_pages_and_refuse_what_they_do_not_know(api: Api) -> None:
    trigger = create(api)
    other = create(api, name="second")
    ids = [hook(api, trigger, github()).get_json()["id"] for _ in range(3)]
    made = [trigger["id"], other["id"]]
    for path, wanted in ((trigger["links"]["deliveries"], ids), ("/v1/triggers", made)):
        found, cursor = [], ""
        while cursor is not None:
            page = api.get(f"{path}?limit=1{cursor and f'&cursor={cursor}'}").get_json()
            found += [one["id"] for one in page["items"]]
            cursor = page["next_cursor"]
        assert found == sorted(wanted, reverse=True)
    problem(
        api.get(f"{trigger['links']['deliveries']}?status=odd"), 422, "invalid", "/query/status"
    )
    problem(api.get("/v1/triggers?x=1"), 422, "invalid", "/query/x")


def test_static_inputs_and_a_webhook_stand_beside_what_is_mapped(api: Api) -> None:
    inputs = {"known": {"rows": TICKETS, "key": "id"}, "far": {"url": "http://93.184.215.14/a.csv"}}
    webhook = {"url": "http://127.0.0.1:9000/", "events": ["job.finished"]}
    job = {"plan": PLAN, "inputs": inputs, "webhook": webhook}
    trigger = create(api, job=job)
    hook(api, trigger, github())
    [job_id] = work(api)
    names = do(api, "SELECT name, key FROM job_inputs WHERE job_id = :id ORDER BY name", id=job_id)
    assert names == [("far", None), ("issue", None), ("known", "id")]
    told = do(api, "SELECT url, events FROM webhook_endpoints WHERE job_id = :id", id=job_id)
    assert told == [(webhook["url"], webhook["events"])]


def test_answers_have_the_documented_shape(api: Api) -> None:
    trigger = create(api, limits={"jobs_per_hour": 1})
    told = [(hook(api, trigger, github()), "POST", "/hooks/{trigger_id}") for _ in range(2)]
    work(api)
    own, one = "/v1/triggers/{trigger_id}", told[0][0].get_json()["id"]
    below = f"{own}/deliveries/{{delivery_id}}"
    concrete = f"{trigger['links']['deliveries']}/{one}"
    simulated = {"headers": {}, "payload": github_issue()}
    told += [
        (hook(api, trigger, github({})), "POST", "/hooks/{trigger_id}"),
        (api.get("/v1/triggers"), "GET", "/v1/triggers"),
        (api.get(trigger["links"]["self"]), "GET", own),
        (api.send("PATCH", trigger["links"]["self"], json={}), "PATCH", own),
        (api.post(trigger["links"]["simulate"], json=simulated), "POST", f"{own}/simulate"),
        (api.get(trigger["links"]["deliveries"]), "GET", f"{own}/deliveries"),
        (api.get(concrete), "GET", below),
        (replay(api, trigger, one), "POST", f"{below}/replay"),
    ]
    paths = document()["paths"]
    for answer, method, path in told:
        assert answer.status_code < 300, answer.text
        check(answer.get_json(), paths[path][method.lower()]["responses"][str(answer.status_code)])
