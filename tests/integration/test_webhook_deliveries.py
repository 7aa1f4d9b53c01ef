"""Events become deliveries once, deliveries are tried until they succeed, and are all told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text
from standardwebhooks import Webhook

from shared.database import delivery_log, erasure, events, job_control
from shared.net.refused import WebError
from shared.net.web_request import WebAnswer
from shared.settings import Settings
from tests.integration.api_door import Api, problem
from tests.integration.webhook_desk import Desk, desk_settings

PATH = "/v1/webhook-endpoints"
URL = "https://hooks.example/in"
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(desk_settings(settings), database)
    yield made
    made.close()


@pytest.fixture
def desk(api: Api) -> Desk:
    return Desk(api.database, api.settings)


def endpoint(api: Api, **more: Any) -> dict[str, Any]:
    answer = api.post(PATH, json={"url": URL, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.get_json())


def paused(api: Api, **changes: Any) -> dict[str, Any]:
    """Submit a job and pause it: one event that is told outside."""
    job = api.submit(**changes)
    assert api.post(f"/v1/jobs/{job['id']}/pause").status_code == 202
    return job


def log(api: Api, query: str = "") -> list[dict[str, Any]]:
    return list(api.get(f"/v1/deliveries{query}").get_json()["items"])


def make_due(api: Api) -> None:
    with api.database.begin() as tx:
        tx.execute(
            text("UPDATE deliveries SET next_at = clock_timestamp() WHERE status = 'pending'")
        )


def test_an_event_goes_once_to_each_endpoint_that_wants_it(api: Api, desk: Desk) -> None:
    wants, all_of_it = endpoint(api, events=["job.paused"]), endpoint(api)
    endpoint(api, events=["job.finished"])

    job = paused(api, labels={"customer": "42"})
    desk.work()
    desk.work()

    assert {one["endpoint"] for one in log(api)} == {wants["id"], all_of_it["id"]}
    assert [one["status"] for one in log(api)] == ["succeeded"] * 2
    [event] = [
        one
        for one in api.get(f"/v1/jobs/{job['id']}/events?limit=100").get_json()["items"]
        if one["type"] == "job.paused"
    ]
    for request in desk.sent:
        body = json.loads(request.body or b"")
        assert request.headers["webhook-id"] == event["id"]
        assert (body["type"], body["timestamp"]) == ("job.paused", event["created_at"])
        assert body["data"]["kind"] == "paused"
        assert body["data"]["job"]["id"] == job["id"]
        assert body["data"]["job"]["labels"] == {"customer": "42"}


def test_an_event_that_is_rolled_back_is_never_told(api: Api, desk: Desk) -> None:
    endpoint(api)
    job = api.submit()

    with api.database.connect() as connection:
        transaction = connection.begin()
        job_control.pause(connection, job["id"], {"kind": "paused"})
        transaction.rollback()

    assert desk.work() == 0
    assert log(api) == []


def test_it_is_tried_again_under_one_id_until_it_succeeds(api: Api, desk: Desk) -> None:
    made = endpoint(api)
    desk.answers = [500, WebError("unreachable", "Nobody there.", transient=True)]

    paused(api)
    desk.work()

    assert len({request.headers["webhook-id"] for request in desk.sent}) == 1
    assert len(set(desk.bodies())) == 1
    for request in desk.sent:
        Webhook(made["secret"]).verify(request.body or b"", dict(request.headers))
    [one] = log(api)
    detail = api.get(f"/v1/deliveries/{one['id']}").get_json()
    assert (detail["status"], detail["attempts"], detail["error"]) == ("succeeded", 3, None)
    assert [(one["error"] or {}).get("code") for one in detail["tries"]] == [
        "bad_status", "unreachable", None,
    ]  # fmt: skip
    assert [(one["response"] or {}).get("status") for one in detail["tries"]] == [500, None, 200]
    assert json.loads(detail["body"])["type"] == "job.paused"
    assert detail["tries"][0]["request"]["headers"]["webhook-id"] == one["webhook_id"]


@pytest.mark.parametrize("status", [301, 302, 307, 404, 500, 503])
def test_after_the_last_delay_it_is_given_up(api: Api, desk: Desk, status: int) -> None:
    endpoint(api)
    desk.answers = [status] * 10

    paused(api)
    desk.work()

    [one] = log(api, "?status=failed")
    assert (one["attempts"], one["response_status"], one["next_attempt_at"]) == (3, status, None)
    assert one["error"]["code"] == ("redirect" if status < 400 else "bad_status")


def test_retry_after_moves_the_next_try(settings: Settings, database: Engine) -> None:
    api = Api(desk_settings(settings, webhook_retries_s="0,1,3600"), database)
    try:
        endpoint(api)
        desk = Desk(database, api.settings, [WebAnswer("", 503, {"retry-after": "600"}, b"busy")])
        paused(api)
        assert desk.work() == 1
        with database.connect() as connection:
            wait_s = connection.execute(
                text("SELECT extract(epoch FROM next_at - clock_timestamp()) FROM deliveries")
            ).scalar_one()
        assert 500 < wait_s <= 600
    finally:
        api.close()


def test_410_disables_the_endpoint_and_tells_the_others(api: Api, desk: Desk) -> None:
    gone = endpoint(api, events=["job.paused"])
    endpoint(api, events=["endpoint.disabled"])
    desk.answers = [410]

    paused(api)
    desk.work()

    shown = api.get(f"{PATH}/{gone['id']}").get_json()
    assert (shown["status"], shown["status_reason"]["kind"]) == ("disabled", "gone")
    told = json.loads(desk.bodies()[-1])
    assert (told["type"], told["data"]["endpoint"]) == ("endpoint.disabled", gone["id"])
    with api.database.connect() as connection:
        rows = connection.execute(
            text("SELECT actor FROM audit_log WHERE action = 'webhook_endpoint.disable'")
        ).scalars()
        assert list(rows) == ["notifier"]

    # what comes while it is disabled is kept, and sent once it is enabled and asked for
    paused(api)
    assert desk.work() == 0
    span = {"since": "2020-01-01T00:00:00Z"}
    problem(api.post(f"{PATH}/{gone['id']}/redeliver", json=span), 409, "wrong_state")
    api.send("PATCH", f"{PATH}/{gone['id']}", json={"enabled": True})
    again = api.post(f"{PATH}/{gone['id']}/redeliver", json=span)
    assert (again.status_code, again.get_json()) == (202, {"redelivered": 2})
    assert desk.work() == 2
    assert {one["status"] for one in log(api, f"?endpoint={gone['id']}")} == {"succeeded"}


def test_an_endpoint_that_fails_for_days_is_disabled(api: Api, desk: Desk) -> None:
    made = endpoint(api, events=["job.paused"])
    own = f"{PATH}/{made['id']}"
    desk.answers = [500] * 100

    # given three events that were given up, the first a moment ago: it stays
    for _ in range(3):
        paused(api)
        desk.work()
    assert api.get(own).get_json()["status"] == "enabled"
    assert api.get(own).get_json()["failing_since"] is not None

    # when nothing succeeded for long
    with api.database.begin() as tx:
        tx.execute(text("UPDATE webhook_endpoints SET failing_since = now() - interval '4 days'"))
    paused(api)
    desk.work()

    # then it is disabled, what waits is skipped, and enabling forgets
    shown = api.get(own).get_json()
    assert (shown["status"], shown["status_reason"]["kind"]) == ("disabled", "failing")
    enabled = api.send("PATCH", own, json={"enabled": True}).get_json()
    assert (enabled["status"], enabled["failing_since"]) == ("enabled", None)


def test_one_success_in_between_keeps_an_endpoint(api: Api, desk: Desk) -> None:
    made = endpoint(api, events=["job.paused"])
    desk.answers = [500, 500, 500, 500, 500, 500, 200]
    for _ in range(3):
        paused(api)
        desk.work()

    assert api.get(f"{PATH}/{made['id']}").get_json()["failing_since"] is None


def test_a_notifier_that_died_after_sending_sends_it_again_under_the_same_id(
    api: Api, desk: Desk
) -> None:
    endpoint(api)
    paused(api)
    [first] = desk.claim()
    assert desk.claim() == [], "it is leased"

    # when the lease runs out and another one takes it
    make_due(api)
    [second] = desk.claim()
    desk.send(second)
    desk.send(first)  # the first one was only slow: what it says now counts for nothing

    assert first.event_id == second.event_id
    assert second.fence == first.fence + 1
    assert [one["attempts"] for one in log(api)] == [1]


def test_a_backlog_of_one_endpoint_takes_no_more_than_its_share(api: Api, desk: Desk) -> None:
    slow, other = endpoint(api, events=["job.paused"]), endpoint(api, events=["job.paused"])
    for _ in range(10):
        paused(api)

    first = [one.endpoint_id for one in desk.claim()]
    assert sorted(first) == sorted([slow["id"], other["id"]] * desk.settings.webhook_endpoint_slots)
    assert desk.claim(held={slow["id"]: 4, other["id"]: 3})[0].endpoint_id == other["id"]
    assert [one.endpoint_id for one in desk.claim(free=1)] != []

    # and one that fails gets one at a time
    with api.database.begin() as tx:
        tx.execute(text("UPDATE webhook_endpoints SET failing_since = now()"))
    make_due(api)
    assert len(desk.claim()) == 2


def test_a_jobs_own_webhook_is_signed_with_the_projects_secret(api: Api, desk: Desk) -> None:
    secret = api.get("/v1/webhook-secret").get_json()["secret"]
    hook = {"url": f"{URL}/own", "events": ["job.paused"]}

    job = paused(api, webhook=hook)
    paused(api)
    desk.work()

    [request] = desk.sent
    assert request.url == f"{URL}/own"
    Webhook(secret).verify(request.body or b"", dict(request.headers))
    assert job["webhook"]["events"] == ["job.paused"]
    shown = api.get(f"{PATH}/{job['webhook']['endpoint']}").get_json()
    assert (shown["job"], shown["url"]) == (job["id"], f"{URL}/own")
    assert api.get(PATH).get_json()["items"] == []
    problem(api.post(f"{PATH}/{shown['id']}/rotate-secret"), 409, "wrong_state")

    # and while the project's secret is rotated both sign
    rotated = api.post("/v1/webhook-secret/rotate", json={"overlap_s": 60}).get_json()
    assert api.post(f"/v1/deliveries/{log(api)[0]['id']}/redeliver").status_code == 202
    desk.work()
    for one in (secret, rotated["secret"]):
        Webhook(one).verify(desk.sent[-1].body or b"", dict(desk.sent[-1].headers))


def test_the_jobs_request_id_and_trace_go_along(api: Api, desk: Desk) -> None:
    endpoint(api, events=["job.paused"])
    job = api.post(
        "/v1/jobs", json={"goal": "x"}, headers={"X-Request-Id": "mine-7", "traceparent": TRACE}
    ).get_json()
    api.post(f"/v1/jobs/{job['id']}/pause")
    desk.work()

    assert desk.sent[0].headers["X-Request-Id"] == "mine-7"
    assert desk.sent[0].headers["traceparent"] == TRACE


def test_one_delivery_is_sent_again_on_request(api: Api, desk: Desk) -> None:
    endpoint(api)
    paused(api)
    [one] = log(api)
    own = f"/v1/deliveries/{one['id']}/redeliver"
    problem(api.post(own), 409, "wrong_state", "/status")
    desk.work()

    assert api.post(own).get_json()["status"] == "pending"
    desk.work()

    assert [request.headers["webhook-id"] for request in desk.sent] == [one["webhook_id"]] * 2
    assert log(api)[0]["attempts"] == 2
    api.send("DELETE", f"{PATH}/{one['endpoint']}")
    problem(api.post(own), 409, "wrong_state")
    assert log(api)[0]["status"] == "succeeded", "the log outlives the endpoint"


def test_a_range_is_bounded_and_by_status(
    api: Api, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = endpoint(api)
    own = f"{PATH}/{made['id']}/redeliver"
    desk.answers = [500] * 3
    for _ in range(3):
        paused(api)
        desk.work()

    assert api.post(own, json={"since": "2999-01-01T00:00:00Z"}).get_json() == {"redelivered": 0}
    past = {"since": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z", "status": "all"}
    assert api.post(own, json=past).get_json() == {"redelivered": 0}
    problem(api.post(own, json={"since": "yesterday"}), 422, "invalid", "/since")
    problem(api.post(own, json={}), 422, "invalid", "/since")
    monkeypatch.setattr("shared.actions.redeliver.MOST_AT_ONCE", 2)
    everything = {"since": "2020-01-01T00:00:00+01:00", "status": "all"}
    problem(api.post(own, json=everything), 422, "too_many", "/until")
    succeeded = {**everything, "status": "succeeded"}
    assert api.post(own, json=succeeded).get_json() == {"redelivered": 2}


def test_a_deleted_endpoint_gets_nothing_more(api: Api, desk: Desk) -> None:
    made = endpoint(api)
    paused(api)
    api.send("DELETE", f"{PATH}/{made['id']}")
    paused(api)

    assert desk.work() == 0
    assert [one["status"] for one in log(api)] == ["cancelled"]


def test_what_is_claimed_of_an_endpoint_that_goes_meanwhile_is_not_sent(
    api: Api, desk: Desk
) -> None:
    gone, off = endpoint(api), endpoint(api)
    paused(api)
    with api.database.begin() as tx:  # as a notifier sees them that reads a moment later
        tx.execute(text("DELETE FROM webhook_endpoints WHERE id = :id"), {"id": gone["id"]})
        tx.execute(
            text("""UPDATE webhook_endpoints SET disabled_at = now(), disabled_reason = '{}'
              WHERE id = :id"""),
            {"id": off["id"]},
        )

    assert desk.work() == 0
    found = {one["endpoint"]: one["status"] for one in log(api)}
    assert found == {gone["id"]: "cancelled", off["id"]: "skipped"}


def test_a_deleted_job_takes_what_was_said_of_it_along(api: Api, desk: Desk) -> None:
    # given deliveries that were sent, and one that waits, full of what the job is about
    endpoint(api)
    mark = "zanzibar"
    job = paused(api, labels={"place": mark}, webhook={"url": f"{URL}/{mark}"})
    desk.answers = [WebAnswer("", 200, {"x-place": mark}, mark.encode())]
    desk.work()
    with api.database.begin() as tx:
        events.append(tx, job["id"], "job.finished", actor="test", data={"status": mark})
    assert mark in told(api)

    # when it is deleted
    with api.database.begin() as tx:
        erasure.bury(tx, job["id"])

    # then nothing of it is left but that there was something
    assert mark not in told(api)
    assert desk.work() == 0
    assert {one["status"] for one in log(api)} == {"succeeded", "cancelled"}
    sent = next(one for one in log(api) if one["status"] == "succeeded")
    detail = api.get(f"/v1/deliveries/{sent['id']}").get_json()
    assert (detail["body"], detail["tries"][0]["request"]) == (None, None)
    problem(api.post(f"/v1/deliveries/{sent['id']}/redeliver"), 410, "deleted")


def told(api: Api) -> str:
    with api.database.connect() as connection:
        return str(
            [
                list(connection.execute(text(f"SELECT * FROM {table}")))  # noqa: S608
                for table in ("webhook_endpoints", "deliveries", "delivery_attempts")
            ]
        )


def test_the_log_is_kept_for_its_time(api: Api, desk: Desk) -> None:
    endpoint(api)
    paused(api)
    desk.work()
    paused(api)
    with api.database.begin() as tx:
        assert delivery_log.forget(tx, 3600.0, 100) == 0
        assert delivery_log.forget(tx, 0.0, 100) == 1

    assert [one["status"] for one in log(api)] == ["pending"]
