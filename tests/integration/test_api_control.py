"""Editing, pausing, resuming, approving and estimating through the interface."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from services.collector.finalize_job import finalize_job
from services.collector.report_pilot import report_pilot
from services.planner.plan_job import Planner, plan_job
from shared.database import job_control, shards, spend, stages
from shared.database.shards import Standing
from shared.domain.approval import needs_approval
from shared.domain.budget import Ask, Budget, Exhausted, Spend
from shared.settings import Settings
from tests.integration.api_door import JOB, REDACT_PLAN, TICKETS, Api, problem

RENAMED: dict[str, Any] = {
    **REDACT_PLAN,
    "tables": {"kinds": [{"kind": "a"}, {"kind": "b"}]},
    "stages": [{**REDACT_PLAN["stages"][0], "name": "tidy"}],
    "result": {"table": "tidy"},
}


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def plan(api: Api, job_id: str) -> None:
    """Do what the planner would do when it is rung for this job."""
    none = lambda _job_id: None  # noqa: E731 - nobody to ring here
    planner = Planner(
        engine=api.database, settings=api.settings, ring_dispatch=none, ring_collect=none
    )
    plan_job(planner, job_id)


def job(api: Api, job_id: str) -> dict[str, Any]:
    return dict(api.get(f"/v1/jobs/{job_id}").get_json())


def event_types(api: Api, job_id: str) -> list[str]:
    page = api.get(f"/v1/jobs/{job_id}/events").get_json()
    return [event["type"] for event in page["items"]]


def patch(api: Api, job_id: str, body: Any, tag: str | None = None) -> TestResponse:
    tag = tag or api.get(f"/v1/jobs/{job_id}").headers["ETag"]
    return api.send("PATCH", f"/v1/jobs/{job_id}", json=body, headers={"If-Match": tag})


def waiting(api: Api, **changes: Any) -> tuple[str, str]:
    """Return a job that awaits approval, and the ETag of its plan."""
    job_id = api.submit(approval="plan", **changes)["id"]
    plan(api, job_id)
    return job_id, api.get(f"/v1/jobs/{job_id}/plan").headers["ETag"]


def approve(api: Api, job_id: str, tag: str) -> TestResponse:
    return api.post(f"/v1/jobs/{job_id}/plan/approve", headers={"If-Match": tag})


def put_plan(api: Api, job_id: str, document: Any, tag: str) -> TestResponse:
    path = f"/v1/jobs/{job_id}/plan"
    return api.send("PUT", path, json={"plan": document}, headers={"If-Match": tag})


def stage_names(api: Api, job_id: str) -> list[str]:
    with api.database.connect() as connection:
        return [stage.name for stage in stages.of_job(connection, job_id)]


# pause and resume


@pytest.mark.parametrize("planned", [False, True], ids=["queued", "running"])
def test_a_paused_job_says_who_paused_it_and_goes_on_where_it_was(api: Api, planned: bool) -> None:
    job_id = api.submit()["id"]
    if planned:
        plan(api, job_id)
    before = job(api, job_id)["status"]
    answer = api.post(f"/v1/jobs/{job_id}/pause")
    assert answer.status_code == 202
    paused = answer.get_json()
    assert paused["status"] == "paused"
    assert paused["status_reason"]["kind"] == "paused"
    assert paused["status_reason"]["by"].startswith("key:key_")
    resumed = api.post(f"/v1/jobs/{job_id}/resume").get_json()
    assert resumed["status"] == before == ("running" if planned else "queued")
    assert event_types(api, job_id)[-2:] == ["job.paused", "job.resumed"]
    with api.database.connect() as connection:
        actions = connection.execute(text("SELECT action FROM audit_log ORDER BY id")).scalars()
        assert list(actions)[-2:] == ["job.pause", "job.resume"]


def test_a_queued_job_that_is_paused_is_not_planned_until_it_is_resumed(api: Api) -> None:
    job_id = api.submit()["id"]
    api.post(f"/v1/jobs/{job_id}/pause")
    plan(api, job_id)
    assert job(api, job_id)["plan"] is None
    api.post(f"/v1/jobs/{job_id}/resume")
    plan(api, job_id)
    assert job(api, job_id)["status"] == "running"


def test_actions_in_the_wrong_state_are_conflicts_that_tell_the_state(api: Api) -> None:
    job_id = api.submit()["id"]
    own = f"/v1/jobs/{job_id}"
    assert "queued" in problem(api.post(f"{own}/resume"), 409, "wrong_state")["detail"]
    assert "queued" in problem(approve(api, job_id, "*"), 409, "wrong_state")["detail"]
    problem(api.post(f"{own}/plan/reject"), 409, "wrong_state")
    problem(put_plan(api, job_id, REDACT_PLAN, "*"), 409, "wrong_state")
    api.post(f"{own}/pause")
    assert "paused" in problem(api.post(f"{own}/pause"), 409, "wrong_state")["detail"]
    with api.database.begin() as connection:
        ended = text("UPDATE jobs SET status = 'failed', finished_at = now() WHERE id = :id")
        connection.execute(ended, {"id": job_id})
    for action in ("pause", "resume", "cancel"):
        body = problem(api.post(f"{own}/{action}"), 409, "wrong_state", "/status")
        assert "failed" in body["detail"]
    problem(patch(api, job_id, {"priority": 1}), 409, "wrong_state")


def test_a_paused_job_can_be_cancelled(api: Api) -> None:
    job_id = api.submit()["id"]
    api.post(f"/v1/jobs/{job_id}/pause")
    assert api.post(f"/v1/jobs/{job_id}/cancel").get_json()["status"] == "finalizing"


def test_a_shard_of_a_paused_job_is_neither_claimed_nor_lost_and_comes_back_at_once(
    api: Api, database: Engine
) -> None:
    # given a running job with a shard in a worker's hands and one that was announced
    job_id = api.submit()["id"]
    plan(api, job_id)
    with database.begin() as tx:
        announced = [shard for shard, _ in shards.dispatch(tx, job_id, 10, 60.0)]
    first, second = announced[0], announced[-1]
    assert first != second
    with database.begin() as tx:
        held = shards.claim(tx, first, "w", ["redact"], 30.0, may_be_alone=False)
    assert held is not None

    # when it is paused
    api.post(f"/v1/jobs/{job_id}/pause")

    # then nothing is announced or claimed, and the holder learns it with its lease extended
    with database.begin() as tx:
        assert shards.waiting_jobs(tx, 0.0) == {}
        assert shards.due_unheard(tx, ["redact"], 10) == []
        assert shards.claim(tx, second, "w", ["redact"], 30.0, may_be_alone=False) is None
        key = (held.id, held.fence)
        assert shards.extend_leases(tx, "w", [key], 30.0) == {key: Standing(halted=True)}
        assert shards.release(tx, *key)

    # and once it is resumed both are due, with no loss on record and no attempt burned
    api.post(f"/v1/jobs/{job_id}/resume")
    with database.begin() as tx:
        assert {shard for shard, _ in shards.dispatch(tx, job_id, 10, 60.0)} == set(announced)
        endings = tx.execute(text("SELECT ending FROM shard_deliveries")).scalars()
        assert list(endings) == ["released"]
        assert tx.execute(text("SELECT max(lost) FROM shards")).scalar_one() == 0
        assert tx.execute(text("SELECT count(*) FROM attempts")).scalar_one() == 0


def test_a_limit_pauses_a_job_once_and_says_which(api: Api, database: Engine) -> None:
    job_id = api.submit()["id"]
    plan(api, job_id)
    reason = Exhausted("job", "microusd", 1_000_000, 999_000).reason()
    with database.begin() as tx:
        assert job_control.pause(tx, job_id, reason, actor="worker") is not None
        assert job_control.pause(tx, job_id, {"kind": "breaker"}) is None
    shown = job(api, job_id)
    assert shown["status"] == "paused"
    assert shown["status_reason"] == reason
    assert event_types(api, job_id)[-2:] == ["job.budget_exhausted", "job.paused"]


def test_pausing_twice_with_one_idempotency_key_is_answered_alike(api: Api) -> None:
    job_id = api.submit()["id"]
    headers = {"Idempotency-Key": "once"}
    first = api.post(f"/v1/jobs/{job_id}/pause", headers=headers)
    again = api.post(f"/v1/jobs/{job_id}/pause", headers=headers)
    assert first.get_json() == again.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert event_types(api, job_id).count("job.paused") == 1


# edit


def test_budget_priority_and_labels_of_a_job_can_be_changed(api: Api, database: Engine) -> None:
    asked = {"budget": {"usd": 1, "tokens": 500}, "min_success": 0.5}
    job_id = api.submit(labels={"a": "1", "b": "2"}, policy=asked)["id"]
    body = {"budget": {"usd": 10, "tokens": None}, "priority": 9, "labels": {"b": None, "c": "3"}}
    answer = patch(api, job_id, body)
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["labels"] == {"a": "1", "c": "3"}
    assert answer.headers["ETag"] == api.get(f"/v1/jobs/{job_id}").headers["ETag"]
    with database.connect() as connection:
        row = connection.execute(text("SELECT policy, priority FROM jobs")).one()
    assert row.priority == 9
    assert row.policy["budget"] == {"usd": 10.0, "tokens": None, "seconds": None}
    assert row.policy["min_success"] == 0.5
    assert event_types(api, job_id) == ["job.accepted", "job.edited"]


def test_an_exhausted_budget_that_is_raised_has_room_again(api: Api, database: Engine) -> None:
    job_id = api.submit(policy={"budget": {"usd": 1}})["id"]
    ask = Ask(Spend(2_000_000), Spend(2_000_000))
    with database.begin() as tx:
        spend.open_account(tx, job_id, Budget())
        assert isinstance(spend.reserve(tx, job_id, "w", ask, 30.0), Exhausted)
    assert patch(api, job_id, {"budget": {"usd": 3}}).status_code == 200
    with database.begin() as tx:
        assert isinstance(spend.reserve(tx, job_id, "w", ask, 30.0), spend.Reserved)


def test_an_account_opened_with_the_old_budget_has_the_new_one_after_resume(
    api: Api, database: Engine
) -> None:
    job_id = api.submit(policy={"budget": {"usd": 1}})["id"]
    with database.begin() as tx:
        spend.open_account(tx, job_id, Budget())
        tx.execute(text("""UPDATE jobs SET policy = jsonb_set(policy, '{budget,usd}', '3')"""))
    api.post(f"/v1/jobs/{job_id}/pause")
    api.post(f"/v1/jobs/{job_id}/resume")
    with database.connect() as connection:
        account = spend.totals(connection, job_id)
    assert account is not None
    assert account.budget.microusd == 3_000_000


def test_an_edit_needs_the_jobs_etag_and_a_fresh_one(api: Api) -> None:
    job_id = api.submit()["id"]
    problem(api.send("PATCH", f"/v1/jobs/{job_id}", json={"priority": 1}), 428,
            "precondition_required")  # fmt: skip
    tag = api.get(f"/v1/jobs/{job_id}").headers["ETag"]
    assert patch(api, job_id, {"priority": 1}, tag).status_code == 200
    problem(patch(api, job_id, {"priority": 2}, tag), 412, "stale")
    for odd in ('"nothing"', "nothing", f"W/{tag}", ""):
        problem(patch(api, job_id, {"priority": 2}, odd or '""'), 412, "stale")
    assert patch(api, job_id, {"priority": 2}, "*").status_code == 200


def test_a_jobs_etag_outlives_units_that_settle_meanwhile(api: Api, database: Engine) -> None:
    job_id = api.submit()["id"]
    plan(api, job_id)
    before = api.get(f"/v1/jobs/{job_id}").headers["ETag"]
    with database.begin() as tx:
        tx.execute(text("UPDATE shards SET succeeded = unit_count WHERE job_id = :id"),
                   {"id": job_id})  # fmt: skip
    assert api.get(f"/v1/jobs/{job_id}").headers["ETag"] != before
    assert patch(api, job_id, {"priority": 1}, before).status_code == 200


def test_what_cannot_be_edited_is_refused_with_a_pointer_and_changes_nothing(
    api: Api, subtests: pytest.Subtests
) -> None:
    job_id = api.submit(labels={"a": "1"}, policy={"budget": {"usd": 1}})["id"]
    before = api.get(f"/v1/jobs/{job_id}").headers["ETag"]
    cases: list[tuple[Any, str]] = [
        ({"goal": "x"}, "/goal"),
        ({"deadline_s": "5"}, "/deadline_s"),
        ({"priority": 11}, "/priority"),
        ({"priority": "1"}, "/priority"),
        ({"budget": {"usd": -1}}, "/budget/usd"),
        ({"budget": {"eur": 1}}, "/budget/eur"),
        ({"budget": {"usd": None}}, "/budget"),
        ({"labels": {"a": 1}}, "/labels/a"),
        ({"labels": {f"l{n}": "" for n in range(64)}}, "/labels"),
        ([], ""),
    ]
    for body, pointer in cases:
        with subtests.test(pointer):
            problem(patch(api, job_id, body), 422, "invalid", pointer)
    assert api.get(f"/v1/jobs/{job_id}").headers["ETag"] == before


# approval


def test_a_plan_that_awaits_approval_is_shown_and_nothing_of_it_is_cut(api: Api) -> None:
    job_id, tag = waiting(api)
    shown = job(api, job_id)
    assert shown["status"] == "awaiting_approval"
    assert shown["status_reason"] == {"kind": "approval"}
    assert tag == f'"{shown["plan"]["hash"]}"'
    assert event_types(api, job_id) == ["job.accepted", "job.planned", "job.awaiting_approval"]
    plan(api, job_id)  # rung again, it still waits
    [stage] = api.get(f"/v1/jobs/{job_id}/stages").get_json()["items"]
    assert (stage["status"], stage["shards"]) == ("waiting", 0)


def test_an_approved_plan_runs(api: Api) -> None:
    job_id, tag = waiting(api)
    answer = approve(api, job_id, tag)
    assert answer.status_code == 202, answer.text
    assert answer.get_json()["status"] == "running"
    yes = job(api, job_id)["approved"]
    assert yes["version"] == 1
    assert f'"{yes["hash"]}"' == tag
    assert yes["by"].startswith("key:key_")
    plan(api, job_id)
    [stage] = api.get(f"/v1/jobs/{job_id}/stages").get_json()["items"]
    assert stage["status"] == "open"
    assert stage["shards"] > 0
    assert event_types(api, job_id)[-2:] == ["job.approved", "job.started"]
    problem(approve(api, job_id, tag), 409, "wrong_state")


def test_approval_needs_its_scope_and_the_hash_of_the_plan_that_is_shown(api: Api) -> None:
    job_id, tag = waiting(api)
    path = f"/v1/jobs/{job_id}/plan/approve"
    problem(api.post(path), 428, "precondition_required")
    problem(approve(api, job_id, '"' + "0" * 64 + '"'), 412, "stale")
    writer = {"Authorization": f"Bearer {api.key_with('jobs:write')}", "If-Match": tag}
    problem(api.post(path, headers=writer), 403, "missing_scope")
    stranger = {"Authorization": f"Bearer {api.other}", "If-Match": tag}
    for own in ("plan/approve", "plan/reject", "pause", "resume"):
        problem(api.post(f"/v1/jobs/{job_id}/{own}", headers=stranger), 404, "not_found")
    problem(api.send("PATCH", f"/v1/jobs/{job_id}", json={}, headers=stranger), 404, "not_found")
    assert job(api, job_id)["status"] == "awaiting_approval"


def test_a_replaced_plan_is_the_next_version_and_makes_the_old_hash_stale(api: Api) -> None:
    job_id, old = waiting(api)
    answer = put_plan(api, job_id, RENAMED, old)
    assert answer.status_code == 200, answer.text
    new = answer.headers["ETag"]
    assert new != old
    written = answer.get_json()
    assert (written["version"], written["engine"]) == (2, "given")
    assert written == api.get(f"/v1/jobs/{job_id}/plan").get_json()
    assert api.get(f"/v1/jobs/{job_id}/plan?version=1").headers["ETag"] == old
    assert stage_names(api, job_id) == ["tidy"]
    problem(approve(api, job_id, old), 412, "stale")
    problem(put_plan(api, job_id, REDACT_PLAN, old), 412, "stale")
    assert approve(api, job_id, new).status_code == 202
    plan(api, job_id)
    [stage] = api.get(f"/v1/jobs/{job_id}/stages").get_json()["items"]
    assert (stage["name"], stage["status"]) == ("tidy", "open")


def test_replaced_plans_leave_no_tables_behind(api: Api, database: Engine) -> None:
    def tables() -> int:
        with database.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM tables")).scalar_one())

    job_id, tag = waiting(api)
    before = tables()
    for document in (RENAMED, REDACT_PLAN, RENAMED, REDACT_PLAN):
        tag = put_plan(api, job_id, document, tag).headers["ETag"]
    assert tables() == before
    assert stage_names(api, job_id) == ["clean"]
    assert job(api, job_id)["plan"]["version"] == 5


def test_the_same_plan_again_changes_nothing(api: Api) -> None:
    job_id, tag = waiting(api)
    answer = put_plan(api, job_id, REDACT_PLAN, tag)
    assert answer.get_json()["version"] == 1
    assert answer.headers["ETag"] == tag


def test_a_bad_plan_replaces_nothing(api: Api) -> None:
    job_id, tag = waiting(api)
    before = api.kept()
    bad = {**REDACT_PLAN, "stages": [{**REDACT_PLAN["stages"][0], "over": "nothing"}]}
    body = problem(put_plan(api, job_id, bad, tag), 422, "plan_invalid", "/plan/stages/0/over")
    assert "unknown_table" in [error["code"] for error in body["errors"]]
    problem(put_plan(api, job_id, {"version": 1}, tag), 422, "plan_invalid")
    headers = {"If-Match": tag}
    path = f"/v1/jobs/{job_id}/plan"
    problem(api.send("PUT", path, json={}, headers=headers), 422, "invalid", "/plan")
    problem(api.send("PUT", path, json={"plan": REDACT_PLAN}), 428, "precondition_required")
    assert api.kept() == before
    assert api.get(path).headers["ETag"] == tag


def test_a_rejected_plan_ends_the_job_as_failed(api: Api, database: Engine) -> None:
    job_id, tag = waiting(api)
    stale = {"If-Match": '"x"'}
    problem(api.post(f"/v1/jobs/{job_id}/plan/reject", headers=stale), 412, "stale")
    answer = api.post(f"/v1/jobs/{job_id}/plan/reject", json={"reason": "Too dear."})
    assert answer.status_code == 202
    with database.begin() as tx:
        assert finalize_job(tx, job_id)
    ended = job(api, job_id)
    assert ended["status"] == "failed"
    assert ended["error"] == {"code": "plan_rejected", "detail": "Too dear."}
    assert ended["finished_at"] is not None
    problem(approve(api, job_id, tag), 409, "wrong_state")


def test_a_job_that_awaits_approval_can_be_cancelled(api: Api, database: Engine) -> None:
    job_id, _ = waiting(api)
    api.post(f"/v1/jobs/{job_id}/cancel")
    with database.begin() as tx:
        assert finalize_job(tx, job_id)
    assert job(api, job_id)["status"] == "cancelled"


def test_a_later_round_is_asked_for_again_only_above_the_price_that_was_approved(
    api: Api,
) -> None:
    job_id, tag = waiting(api)
    approve(api, job_id, tag)
    yes = job(api, job_id)["approved"]
    free = api.get(f"/v1/jobs/{job_id}/plan").get_json()["price"]
    assert not needs_approval("plan", yes, spent_microusd=0, price=free)
    dear = {**free, "total": {**free["total"], "cost_microusd": {"high": 1}}}
    assert needs_approval("plan", yes, spent_microusd=0, price=dear)


# pilot


def cut_of(api: Api, job_id: str) -> list[tuple[int, int]]:
    """Return every shard as its first and last unit, in order."""
    with api.database.connect() as connection:
        rows = connection.execute(
            text("SELECT first_unit, last_unit FROM shards WHERE job_id = :id ORDER BY 1"),
            {"id": job_id},
        )
        return [(row.first_unit, row.last_unit) for row in rows]


def grouped() -> dict[str, Any]:
    """A job over 12 groups, every fourth of them large."""
    rows = [
        {"team": f"t{team}", "text": f"word {n}"}
        for team in range(12)
        for n in range(9 if team % 4 == 0 else 1)
    ]
    stage = {
        "name": "short", "over": "notes", "unit": {"group_by": ["team"]},
        "capability": "summarize", "params": {"field": "text"},
    }  # fmt: skip
    document = {"version": 1, "stages": [stage], "result": {"table": "short"}}
    return {"plan": document, "inputs": {"notes": {"rows": rows}}}


def test_a_pilot_of_groups_takes_large_and_small_ones_and_the_rest_is_cut_around_them(
    api: Api, database: Engine
) -> None:
    # given a pilot over groups, cut but not run
    job_id = api.submit(**grouped(), pilot={"units": 4})["id"]
    plan(api, job_id)
    assert job(api, job_id)["status"] == "piloting"
    pilot = cut_of(api, job_id)
    assert [last - first for first, last in pilot] == [0] * 4
    assert any(unit % 4 == 0 for unit, _ in pilot)
    assert any(unit % 4 != 0 for unit, _ in pilot)
    plan(api, job_id)
    assert cut_of(api, job_id) == pilot
    with database.begin() as tx:
        assert report_pilot(tx, job_id) is None  # its units still run

    # when it is approved in the end
    with database.begin() as tx:
        ended = "UPDATE shards SET status = 'done', succeeded = 1 WHERE job_id = :id"
        tx.execute(text(ended), {"id": job_id})
    with database.begin() as tx:
        assert report_pilot(tx, job_id) == "awaiting_approval"
        assert report_pilot(tx, job_id) is None
    tag = api.get(f"/v1/jobs/{job_id}/plan").headers["ETag"]
    approve(api, job_id, tag)
    plan(api, job_id)

    # then every unit is in exactly one shard
    units = [unit for first, last in cut_of(api, job_id) for unit in range(first, last + 1)]
    assert units == list(range(12))
    [stage] = api.get(f"/v1/jobs/{job_id}/stages").get_json()["items"]
    assert stage["units"] == 12
    with database.connect() as connection:
        assert connection.execute(text("SELECT fully_cut FROM stages")).scalar_one()


def test_a_pilot_that_is_paused_goes_on_piloting(api: Api) -> None:
    job_id = api.submit(pilot={"units": 2})["id"]
    plan(api, job_id)
    assert api.post(f"/v1/jobs/{job_id}/pause").get_json()["status"] == "paused"
    assert api.post(f"/v1/jobs/{job_id}/resume").get_json()["status"] == "piloting"


def test_the_plan_of_a_piloted_job_cannot_be_replaced_any_more(api: Api, database: Engine) -> None:
    job_id = api.submit(pilot={"units": 2})["id"]
    plan(api, job_id)
    with database.begin() as tx:
        tx.execute(text("UPDATE shards SET status = 'done', succeeded = 1"))
    with database.begin() as tx:
        report_pilot(tx, job_id)
    body = problem(put_plan(api, job_id, RENAMED, "*"), 409, "wrong_state")
    assert "awaiting_approval" in body["detail"]


def test_asking_for_the_approval_of_a_pilot_asks_for_a_pilot(api: Api) -> None:
    shown = api.submit(approval="pilot")
    assert (shown["approval"], shown["pilot"]) == ("pilot", {"units": 20, "auto_approve": None})
    limits = {"max_usd": 50, "min_success": 0.95}
    shown = api.submit(pilot={"units": 5, "auto_approve": limits})
    assert (shown["approval"], shown["pilot"]["auto_approve"]) == ("pilot", limits)


# estimate


def test_an_estimate_tells_findings_and_price_and_keeps_nothing(api: Api) -> None:
    before = api.kept()
    answer = api.post("/v1/jobs/estimate", json=JOB)
    assert answer.status_code == 200, answer.text
    made = answer.get_json()
    assert made["engine"] == "given"
    assert made["plan"] == REDACT_PLAN
    assert made["price"]["total"]["units"]["expected"] == len(TICKETS)
    assert api.kept() == before
    job_id = api.submit()["id"]
    plan(api, job_id)
    planned = api.get(f"/v1/jobs/{job_id}/plan").get_json()
    assert {name: planned[name] for name in made} == made


def test_a_goal_the_rules_know_is_estimated_without_a_model(api: Api) -> None:
    body = {"goal": "Redact all personal data in the tickets", "inputs": JOB["inputs"]}
    before = api.kept()
    for planning in ("auto", "rules"):
        made = api.post("/v1/jobs/estimate", json={**body, "planning": planning}).get_json()
        assert made["engine"] == "rules"
        assert made["price"]["total"]["units"]["expected"] == len(TICKETS)
    assert api.kept() == before


@pytest.mark.parametrize(
    ("goal", "planning", "code", "pointer"),
    [
        ("Sing the tickets", "auto", "needs_planning", "/goal"),
        ("Redact all personal data in the tickets", "model", "model_not_configured", "/planning"),
        ("Sing the tickets", "direct", "model_not_configured", "/planning"),
        ("Sing the tickets", "rules", "goal_not_recognised", "/goal"),
    ],
)
def test_a_goal_that_needs_a_model_has_no_estimate(
    api: Api, goal: str, planning: str, code: str, pointer: str
) -> None:
    body = {"goal": goal, "planning": planning, "inputs": JOB["inputs"]}
    problem(api.post("/v1/jobs/estimate", json=body), 422, code, pointer)


def test_where_a_model_is_configured_it_plans_and_only_rules_are_estimated(
    settings: Settings, database: Engine
) -> None:
    address = {"openai_base_url": "http://127.0.0.1:9/v1", "model": "m"}
    with_model = Api(replace(settings, **address), database)
    body = {"goal": "Redact all personal data in the tickets", "inputs": JOB["inputs"]}
    for planning in ("auto", "model", "direct"):
        answer = with_model.post("/v1/jobs/estimate", json={**body, "planning": planning})
        problem(answer, 422, "needs_planning", "/goal")
    answer = with_model.post("/v1/jobs/estimate", json={**body, "planning": "rules"})
    assert answer.status_code == 200
    with_model.close()


def test_an_estimate_refuses_what_the_job_would_be_refused_for(api: Api) -> None:
    def estimate(**changes: Any) -> TestResponse:
        return api.post("/v1/jobs/estimate", json={**JOB, **changes})

    before = api.kept()
    bad = {**REDACT_PLAN, "stages": [{**REDACT_PLAN["stages"][0], "over": "nothing"}]}
    problem(estimate(plan=bad), 422, "plan_invalid", "/plan/stages/0/over")
    twice = {"tickets": {"rows": [{"id": 1}, {"id": 1}], "key": "id"}}
    problem(estimate(inputs=twice), 422, "key_not_unique", "/inputs/tickets/key")
    problem(estimate(inputs={"tickets": {"rows": [1]}}), 422, "invalid", "/inputs/tickets/rows/0")
    unknown = {"tickets": {"table": "tbl_" + "0" * 26}}
    problem(estimate(inputs=unknown), 404, "not_found", "/inputs/tickets/table")
    problem(estimate(goal=5), 422, "invalid", "/goal")
    assert api.kept() == before


def test_uploaded_tables_and_files_are_estimated_too(api: Api) -> None:

    table = api.post("/v1/tables", data=b"id,text\n1,a\n2,b\n3,c\n", content_type="text/csv")
    stored = {"tickets": {"table": table.get_json()["id"], "key": "id"}}
    made = api.post("/v1/jobs/estimate", json={**JOB, "inputs": stored}).get_json()
    assert made["price"]["total"]["units"]["expected"] == 3
    described = {**JOB, "inputs": {"tickets": {"key": "id"}}}
    form = {"job": json.dumps(described), "tickets": (io.BytesIO(b"id,text\n1,a\n2,b\n"), "t.csv")}
    before = api.kept()
    answer = api.post("/v1/jobs/estimate", data=form)
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["price"]["total"]["units"]["expected"] == 2
    assert api.kept() == before


# what is asked with a job


def test_models_and_limits_of_a_job_are_stored_as_asked(
    settings: Settings, database: Engine
) -> None:
    address = {"openai_base_url": "http://127.0.0.1:9/v1", "model": "m"}
    api = Api(replace(settings, **address), database)
    policy = {"budget": {"usd": 5, "seconds": 60}, "on_budget": "finish"}
    api.submit(models={"planner": "planner", "worker": None}, policy=policy)
    api.close()
    with database.connect() as connection:
        row = connection.execute(text("SELECT models, policy, approval FROM jobs")).one()
    assert row.models == {"planner": "planner"}
    assert row.policy["budget"] == {"usd": 5.0, "tokens": None, "seconds": 60.0}
    assert row.policy["on_budget"] == "finish"
    assert row.approval == "none"
