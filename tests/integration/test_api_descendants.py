"""Finalize, retry, fork and delete through the interface: who may, when, and what is answered."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.cli.commands.jobs import app as job_commands
from shared.actions.actor import ROLES
from shared.database import jobs
from shared.settings import Settings
from tests.integration.api_door import REDACT_PLAN, TICKETS, Api, problem

VERBS = [("POST", "/finalize"), ("POST", "/retry"), ("POST", "/fork"), ("DELETE", "")]


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def final(api: Api, **changes: Any) -> str:
    """Return a job that ended before it had a plan."""
    job_id = str(api.submit(**changes)["id"])
    record = jobs.FinalRecord(
        "failed", {"code": "x", "detail": "y"}, None, None, {"units": 0}, {}, []
    )
    with api.database.begin() as tx:
        assert jobs.finish(tx, job_id, record)
    return job_id


def send(api: Api, method: str, path: str, **rest: Any) -> Any:
    if method == "POST" and path.endswith("/fork"):
        rest.setdefault("json", {})
    return api.send(method, path, **rest)


@pytest.mark.parametrize(("method", "verb"), VERBS)
def test_each_needs_its_scope_and_an_object_of_the_project(
    api: Api, method: str, verb: str
) -> None:
    job_id = final(api) if verb != "/finalize" else api.submit()["id"]
    path = f"/v1/jobs/{job_id}{verb}"
    viewer = {"Authorization": f"Bearer {api.key_with(*ROLES['viewer'])}"}
    problem(send(api, method, path, headers=viewer), 403, "missing_scope")
    other = {"Authorization": f"Bearer {api.other}"}
    problem(send(api, method, path, headers=other), 404, "not_found")
    assert send(api, method, path).status_code == 202


@pytest.mark.parametrize(("method", "verb"), VERBS)
def test_in_the_wrong_state_each_is_a_conflict_that_tells_it(
    api: Api, method: str, verb: str
) -> None:
    job_id = final(api) if verb == "/finalize" else api.submit()["id"]
    state = "failed" if verb == "/finalize" else "queued"
    told = problem(send(api, method, f"/v1/jobs/{job_id}{verb}"), 409, "wrong_state", "/status")
    assert state in told["detail"]


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("finalize", {"now": True}, ""),
        ("retry", {"select": "all"}, "/select"),
        ("retry", {"select": {"code": "x"}}, "/select/error_code"),
        ("retry", {"overrides": {"temperature": 1}}, "/overrides/temperature"),
        ("retry", {"overrides": {"model": "other"}}, "/overrides/model"),
        ("fork", {"goal": "x"}, "/goal"),
        ("fork", {"policy": {"min_success": 2}}, "/policy/min_success"),
        ("fork", {"inputs": {"tickets": {}}}, "/inputs/tickets"),
    ],
)
def test_a_bad_body_is_refused_and_makes_nothing(
    api: Api, verb: str, body: dict[str, Any], pointer: str
) -> None:
    job_id = api.submit()["id"] if verb == "finalize" else final(api)
    before = api.kept()
    problem(api.post(f"/v1/jobs/{job_id}/{verb}", json=body), 422, "invalid", pointer)
    assert api.kept() == before


def test_a_retry_is_a_new_job_over_the_same_tables_once_per_key(api: Api) -> None:
    job_id = final(api, labels={"team": "a"}, policy={"min_success": 0.5, "deadline_s": 60})
    key = {"Idempotency-Key": "again"}
    answers = [api.post(f"/v1/jobs/{job_id}/retry", headers=key) for _ in range(2)]
    first, second = (one.get_json() for one in answers)
    assert first == second
    assert answers[0].headers["Location"] == f"/v1/jobs/{first['id']}"
    assert (first["retry_of"], first["status"], first["labels"]) == (
        job_id,
        "queued",
        {"team": "a"},
    )
    assert first["deadline_at"] is not None
    with api.database.connect() as connection:
        assert jobs.inputs(connection, first["id"]) == jobs.inputs(connection, job_id)
        made = jobs.find(connection, first["id"])
    assert made is not None
    assert (made.given_plan, made.policy["min_success"]) == (REDACT_PLAN, 0.5)
    events = api.get(f"/v1/jobs/{job_id}/events").get_json()["items"]
    assert (events[-1]["type"], events[-1]["data"]) == ("job.retried", {"job": first["id"]})


def test_a_fork_changes_what_is_named_and_keeps_the_rest(api: Api) -> None:
    job_id = final(api, policy={"budget": {"usd": 1, "tokens": 5}, "priority": 2})
    body = {
        "inputs": {"tickets": {"rows": TICKETS[:2], "key": "id"}},
        "policy": {"budget": {"usd": 3}, "priority": 7},
    }
    fork = api.post(f"/v1/jobs/{job_id}/fork", json=body).get_json()
    assert fork["forked_from"] == job_id
    with api.database.connect() as connection:
        made, [item] = jobs.find(connection, fork["id"]), jobs.inputs(connection, fork["id"])
        [before] = jobs.inputs(connection, job_id)
        rows = connection.execute(
            text("SELECT row_count FROM tables WHERE id = :id"), {"id": item.table_id}
        ).scalar_one()
    assert made is not None
    assert (item.name, item.table_id != before.table_id, rows) == ("tickets", True, 2)
    assert (made.priority, made.given_plan) == (7, REDACT_PLAN)
    assert made.policy["budget"] == {"usd": 3.0, "tokens": 5, "seconds": None}
    assert made.policy["max_rounds"] == 3

    # a plan that does not fit what the fork reads is refused as any other
    plan = {**REDACT_PLAN, "stages": [{**REDACT_PLAN["stages"][0], "over": "letters"}]}
    problem(api.post(f"/v1/jobs/{job_id}/fork", json={"plan": plan}), 422, "plan_invalid")


def test_a_deleted_job_is_gone_for_every_action(api: Api) -> None:
    job_id = final(api)
    own = f"/v1/jobs/{job_id}"
    tombstone = api.send("DELETE", own).get_json()
    assert tombstone["error"] == {"code": "x", "detail": "Deleted."}
    assert api.get(own).get_json() == tombstone
    for path in ("/pause", "/resume", "/finalize", "/retry"):
        problem(api.post(own + path), 410, "deleted")
    problem(api.post(f"{own}/fork", json={}), 410, "deleted")
    assert api.get("/v1/jobs").get_json()["items"] == []


def test_every_action_has_its_verb_on_the_command_line() -> None:
    verbs = {"pause", "resume", "finalize", "retry", "fork", "delete", "cancel"}
    assert verbs <= {
        one.name or one.callback.__name__
        for one in job_commands.registered_commands
        if one.callback
    }
