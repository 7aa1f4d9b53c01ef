"""What was used, in groups that add up; metrics; models; the headers every answer has."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, text

from services.api.wired import wired_to
from shared.actions.actor import SCOPES, SYSTEM
from shared.actions.keys import create_key
from shared.database import shards, spend, stages, usage
from shared.domain.budget import Ask, Budget, Spend
from shared.domain.outcome import Attempted, Settled
from shared.settings import Settings
from tests.integration.api_door import JOB, Api, problem
from tests.integration.running_job import RunningJob, running_job
from tests.integration.spend_books import new_job

MODEL = "gpt-small"


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(replace(settings, metrics_cache_s=0.0), database)
    yield made
    made.close()


def used(calls: int, cost: int, **more: Any) -> dict[str, Any]:
    sums = {"calls": calls, "input_tokens": 10 * calls, "output_tokens": calls}
    return {**sums, "cost_microusd": cost, "model": MODEL, **more}


def model_job(api: Api, *, label: str = "a") -> RunningJob:
    """Return a job of nine units whose stage asks models, some of them settled."""
    job = running_job(api.database, api.settings, shard_size=9)
    job.run("UPDATE stages SET queue = 'model' WHERE job_id = :id", id=job.id)
    job.run(
        "UPDATE jobs SET labels = CAST(:labels AS jsonb), key_id = 'key_x' WHERE id = :id",
        labels=json.dumps({"customer": label}), id=job.id,
    )  # fmt: skip
    return job


def settle(job: RunningJob) -> None:
    shard = job.claimed(job.shard_ids()[0])
    rows = [{"id": unit, "word": "w"} for unit in range(9)]
    good = [
        Settled(unit, "succeeded", 1, output=[rows[unit]], unit_hash="00", usage=used(1, 100))
        for unit in range(8)
    ]
    both = {"by_model": {MODEL: used(1, 30), "judge": used(1, 5)}}
    tried = {**used(2, 35), **both}
    bad = Settled(8, "failed", 1, code="broken", detail="d", unit_hash="00")
    with job.engine.begin() as tx:
        assert shards.settle(
            tx, shard.id, shard.fence, "wrk_a", [*good, bad],
            [Attempted(8, 1, "failed", code="broken", usage=tried)],
        )  # fmt: skip
        assert shards.finish(tx, shard.id, shard.fence, {})


def groups(api: Api, query: str, **rest: Any) -> dict[str | None, dict[str, Any]]:
    answer = api.get(f"/v1/usage?{query}", **rest)
    assert answer.status_code == 200, answer.text
    return {row.pop("group"): row for row in answer.get_json()["items"]}


TOTAL = {
    "calls": 10, "input_tokens": 100, "output_tokens": 10, "cost_microusd": 835, "cache_hits": 0,
    "cost_unknown_microusd": 0, "jobs": 1,
}  # fmt: skip


def test_usage_is_the_same_while_a_stage_runs_after_it_ended_and_when_it_is_deleted(
    api: Api,
) -> None:
    job = model_job(api)
    settle(job)
    by = [f"group_by={one}" for one in ("project", "key", "model", "capability", "label.customer")]
    running = [groups(api, one) for one in by]
    assert running[0] == {api.project_id: TOTAL}
    assert running[1] == {"key_x": TOTAL}
    assert running[2]["judge"]["cost_microusd"] == 5
    assert running[2][MODEL]["cost_microusd"] == 830
    assert running[3] == {"extract": TOTAL}
    assert running[4] == {"a": TOTAL}
    with api.database.connect() as connection:
        summed = usage.of_subtasks(connection, job.id)

    job.collect()
    job.collect()
    assert job.status() == "partial"
    assert [groups(api, one) for one in by] == running
    final = job.rows("SELECT usage FROM jobs WHERE id = :id", id=job.id)[0]["usage"]
    assert final == summed
    assert summed["cost_microusd"] == 835

    assert api.send("DELETE", f"/v1/jobs/{job.id}").status_code == 202
    job.run("DELETE FROM results")
    job.run("DELETE FROM attempts")
    assert [groups(api, one) for one in by[:4]] == running[:4]
    assert groups(api, by[4]) == {None: TOTAL}


def test_a_stage_that_an_earlier_release_ended_is_booked_once(api: Api) -> None:
    job = model_job(api)
    settle(job)
    job.collect()
    job.run("DELETE FROM usage_hours")
    job.run("UPDATE stages SET usage_booked = false")
    before = groups(api, "group_by=model")
    assert before[MODEL]["cost_microusd"] == 830
    from shared.database import usage_hours

    with api.database.begin() as tx:
        assert usage_hours.book_ended(tx) == 1
        assert usage_hours.book_ended(tx) == 0
        stage = stages.of_job(tx, job.id)[0]
        usage_hours.book_stage(tx, stage.id)
    assert groups(api, "group_by=model") == before


def test_planning_and_money_for_no_answer_are_told_apart(api: Api) -> None:
    with api.database.begin() as tx:
        job_id = new_job(tx, api.project_id)
        for _ in range(2):
            usage.add_usage(
                tx, job_id, model="planner-model", calls=1, input_tokens=5, output_tokens=1,
                cost_microusd=7,
            )  # fmt: skip
        spend.open_account(tx, job_id, Budget())
        cost = Spend(microusd=50)
        spend.reserve(tx, job_id, "lost", Ask(cost, cost), 0.0)
    with api.database.begin() as tx:
        assert spend.expire(tx) == job_id
    by_capability = groups(api, "group_by=capability")
    assert by_capability["planning"]["cost_microusd"] == 14
    assert by_capability[None]["cost_unknown_microusd"] == 50
    assert groups(api, "group_by=model")["planner-model"]["calls"] == 2
    with api.database.begin() as tx:  # it was only frozen, and tells
        spend.settle(tx, job_id, "lost", Spend(microusd=20), Spend(), 30.0)
    assert groups(api, "group_by=project")[api.project_id]["cost_unknown_microusd"] == 30


def test_usage_is_of_the_own_project_of_the_asked_time_and_page_by_page(api: Api) -> None:
    for label in ("a", "b", "c"):
        settle(model_job(api, label=label))
    now = datetime.now(UTC)
    today, yesterday = str(now.date()), str(now.date() - timedelta(days=1))
    days = groups(api, "")
    assert days.keys() <= {yesterday, today}  # midnight may have passed since
    assert sum(row["jobs"] for row in days.values()) == 3
    later = (now + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert groups(api, f"from={later}") == {}
    until = groups(api, f"to={later}&group_by=label.customer")
    assert sum(row["jobs"] for row in until.values()) == 3
    assert groups(api, "", headers={"Authorization": f"Bearer {api.other}"}) == {}

    found, path = [], "/v1/usage?group_by=label.customer&limit=1"
    page = api.get(path).get_json()
    while True:
        found += [row["group"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        page = api.get(f"{path}&cursor={page['next_cursor']}").get_json()
    assert found == ["a", "b", "c"]
    with api.database.begin() as tx:
        _, secret = create_key(tx, api.project_id, "operator", (*SCOPES, SYSTEM))
    everything = groups(
        api, "group_by=project", headers={"Authorization": f"Bearer {secret}"}
    )  # fmt: skip
    assert everything[api.project_id]["jobs"] == 3


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("group_by=colour", "/query/group_by"), ("group_by=label.", "/query/group_by"),
        ("from=yesterday", "/query/from"), ("to=9999-12-31T23:59:59Z", "/query/to"),
        ("cursor=abc", "/query/cursor"), ("limit=0", "/query/limit"), ("by=day", "/query/by"),
    ],
)  # fmt: skip
def test_a_wrong_question_for_usage_is_told_where(api: Api, query: str, pointer: str) -> None:
    problem(api.get(f"/v1/usage?{query}"), 422, "invalid", pointer)


ENDPOINTS = {
    "default": {"base_url": "http://127.0.0.1:9/v1", "model": "m", "api_key": "sk-very-secret",
                "own": False, "requests_per_minute": 60,
                "prices": {"input_usd_per_million": 0.15, "output_usd_per_million": 0.6}},
    "fallback": {"base_url": "http://127.0.0.1:9/v1", "model": "f", "own": True},
}  # fmt: skip


def test_models_are_told_without_keys_with_prices_and_how_they_are(
    settings: Settings, database: Engine
) -> None:
    api = Api(replace(settings, endpoints=json.dumps(ENDPOINTS)), database)
    answer = api.get("/v1/models")
    assert "sk-very-secret" not in answer.text
    found = {one["name"]: one for one in answer.get_json()["items"]}
    default = found["default"]
    assert default["prices"] == {
        "input_microusd": 150_000, "output_microusd": 600_000, "cached_microusd": None,
    }  # fmt: skip
    assert {"default", "planner", "worker", "judge"} == set(default["serves"])
    assert default["fallback"] == "fallback"
    assert default["base_url"] == "http://127.0.0.1:9/v1"
    assert default["state"] == {"status": "available", "held_ms": 0, "resting_ms": 0}

    from shared.llm.endpoints import endpoints_of

    endpoint = endpoints_of(api.settings).by_name["default"]
    store = redis.Redis.from_url(settings.redis_url)
    store.set(f"{{apwa:limit}}:hold:{endpoint.address_hash}/m", "1", px=60_000)
    held = api.get("/v1/models").get_json()["items"][0]["state"]
    assert held["status"] == "held"
    assert 0 < held["held_ms"] <= 60_000
    store.set(f"{{apwa:limit}}:resting:{endpoint.address_hash}/m", "1", px=60_000)
    assert api.get("/v1/models").get_json()["items"][0]["state"]["status"] == "resting"
    store.flushdb()
    store.close()

    viewer = {"Authorization": f"Bearer {api.key_with('jobs:read')}"}
    assert api.get("/v1/models", headers=viewer).get_json()["items"][0]["base_url"] is None
    api.close()


def test_models_are_told_while_redis_is_away(settings: Settings, database: Engine) -> None:
    away = replace(settings, endpoints=json.dumps(ENDPOINTS), redis_url="redis://127.0.0.1:9/0")
    api = Api(away, database)
    found = api.get("/v1/models").get_json()["items"]
    assert {one["state"]["status"] for one in found} == {"unknown"}
    api.close()


def metrics(api: Api, **headers: str) -> dict[str, float]:
    answer = api.client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(number) for name, _, number in (line.rpartition(" ") for line in lines)}


def test_metrics_tell_jobs_units_money_and_requests_and_no_names(api: Api) -> None:
    job = model_job(api, label="secret-customer")
    settle(job)
    api.submit()
    api.get("/v1/jobs/job_unknown")
    api.client.get("/made/up/by/a/client")
    told = metrics(api)
    assert told['apwa_jobs{state="running"}'] == 1
    assert told['apwa_jobs{state="queued"}'] == 1
    assert told['apwa_jobs{state="failed"}'] == 0
    assert told["apwa_workers_live"] == 0
    assert told["apwa_database_up"] == 1
    route = 'method="GET",route="/v1/jobs/<job_id>",status="404"'
    assert told[f"apwa_api_requests_total{{{route}}}"] == 1
    assert told['apwa_api_requests_total{method="GET",route="unmatched",status="404"}'] == 1
    job.collect()
    with api.database.begin() as tx:
        from shared.database.invariants import Breach, note_look

        note_look(tx, [Breach("ledger", "x", "y")])
    told = metrics(api)
    assert told['apwa_subtasks{outcome="succeeded"}'] == 8
    assert told['apwa_subtasks{outcome="failed"}'] == 1
    assert told['apwa_invariants_broken{invariant="ledger"}'] == 1
    assert told['apwa_invariants_broken{invariant="books"}'] == 0
    assert told[f'apwa_llm_requests_total{{model="{MODEL}"}}'] == 9
    text_ = api.client.get("/metrics").text
    for name in ("secret-customer", api.project_id, job.id, api.key):
        assert name not in text_


def test_metrics_ask_the_database_seldom_and_work_without_it(
    settings: Settings, database: Engine
) -> None:
    api = Api(replace(settings, metrics_cache_s=600.0), database)
    assert metrics(api)['apwa_jobs{state="queued"}'] == 0
    api.submit()
    assert metrics(api)['apwa_jobs{state="queued"}'] == 0
    api.close()
    away = "postgresql://nobody@127.0.0.1:9/none"
    blind = replace(settings, database_url=away)
    from services.api.app import create_app

    app = create_app(blind)
    answer = app.test_client().get("/metrics")
    assert "apwa_database_up 0.0" in answer.text
    wired_to(app).close()


def test_metrics_can_want_a_token_and_a_network(settings: Settings, database: Engine) -> None:
    api = Api(replace(settings, metrics_token="scrape-me"), database)
    problem(api.client.get("/metrics"), 401, "unauthorized")
    problem(api.get("/metrics"), 401, "unauthorized")
    assert metrics(api, Authorization="Bearer scrape-me")
    api.close()
    api = Api(replace(settings, metrics_networks="10.0.0.0/8, ::1/128"), database)
    problem(api.client.get("/metrics"), 403, "address_not_allowed")
    near = {"REMOTE_ADDR": "10.1.2.3"}
    assert api.client.get("/metrics", environ_base=near).status_code == 200
    api.close()


def test_every_answer_says_what_a_browser_may_do_with_it(api: Api) -> None:
    job = api.submit()
    for answer in (
        api.get("/v1/jobs"), api.get(f"/v1/jobs/{job['id']}"), api.get("/nothing"),
        api.post("/v1/jobs", data=b"{"), api.client.get("/v1/jobs"), api.client.get("/livez"),
        api.client.get("/openapi.json"), api.client.get("/docs"), api.client.get("/metrics"),
    ):  # fmt: skip
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] in ("no-store", "private, no-cache")
    assert api.get("/v1/jobs").headers["Content-Security-Policy"].startswith("default-src 'none'")
    page = api.client.get("/docs").headers["Content-Security-Policy"]
    assert page.startswith("default-src 'self'")
    assert "unsafe-eval" not in page


CHANGES: list[tuple[str, str, str, Any]] = [
    ("job.create", "POST", "/v1/jobs", JOB),
    ("job.pause", "POST", "/v1/jobs/{job}/pause", None),
    ("job.resume", "POST", "/v1/jobs/{job}/resume", None),
    ("job.edit", "PATCH", "/v1/jobs/{job}", {"priority": 9}),
    ("job.cancel", "POST", "/v1/jobs/{job}/cancel", None),
    ("job.append_records", "POST", "/v1/jobs/{stream}/records", [{"id": 9, "text": "t"}]),
    ("job.end_records", "POST", "/v1/jobs/{stream}/records/end", None),
    ("job.finalize", "POST", "/v1/jobs/{stream}/finalize", None),
    ("table.erase", "DELETE", "/v1/tables/{table}", None),
    ("key.create", "POST", "/v1/api-keys", {"name": "n", "role": "viewer"}),
    ("key.rotate", "POST", "/v1/api-keys/{key}/rotate", None),
    ("key.revoke", "DELETE", "/v1/api-keys/{key}", None),
]


def test_every_change_is_in_the_audit_log_with_who_made_it(api: Api) -> None:
    stream = {"stream": True, "columns": {"id": "integer", "text": "string"}, "key": "id"}
    csv = {"data": b"a\n1\n", "content_type": "text/csv"}
    ids = {
        "job": api.submit()["id"],
        "stream": api.submit(inputs={"tickets": stream})["id"],
        "table": api.post("/v1/tables", **csv).get_json()["id"],
        "key": api.post("/v1/api-keys", json={"name": "n", "role": "viewer"}).get_json()["id"],
    }
    with api.database.begin() as tx:
        own = tx.execute(text("SELECT id FROM api_keys WHERE name = 'all'")).scalar_one()
    for action, method, path, body in CHANGES:
        more = {} if body is None else {"json": body}
        headers = {"If-Match": "*"} if method == "PATCH" else None
        answer = api.send(method, path.format(**ids), headers=headers, **more)
        assert answer.status_code < 300, (action, answer.text)
        newest = api.get("/v1/audit-log?limit=1").get_json()["items"][0]
        assert (newest["action"], newest["actor"]) == (action, f"key:{own}")
