"""Quotas: each refuses with its code, says what to do, keeps nothing, and holds when many ask."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from services.collector.next_day import resume_next_day
from services.worker.pause_job import pause_job
from shared.actions.quotas import most_open_streams, too_many_open_streams
from shared.broker.request_rates import RequestRates
from shared.database import jobs, projects, spend
from shared.domain.budget import Ask, Budget, Busy, Exhausted, Spend
from shared.settings import Settings
from tests.integration.api_door import JOB, TICKETS, Api, problem
from tests.integration.spend_books import new_job

STREAM = {
    **JOB,
    "inputs": {"tickets": {"stream": True, "columns": {"id": "integer", "text": "string"},
                           "key": "id", "rows": TICKETS}},
}  # fmt: skip
NOWHERE = "redis://127.0.0.1:9/0"
Making = Callable[..., Api]


@pytest.fixture
def make(settings: Settings, database: Engine) -> Iterator[Making]:
    made: list[Api] = []

    def api(**changes: Any) -> Api:
        made.append(Api(replace(settings, **changes), database))
        return made[-1]

    yield api
    for one in made:
        one.close()


def set_own(api: Api, **quotas: int) -> None:
    with api.database.begin() as tx:
        known = projects.find(tx, api.project_id)
        assert known is not None
        projects.edit(
            tx, api.project_id, name=known.name, weight=1, allow_external=False, tools=None,
            quotas=quotas,
        )  # fmt: skip


def finish_jobs(api: Api) -> None:
    with api.database.begin() as tx:
        tx.execute(text("UPDATE jobs SET status = 'failed', finished_at = now()"))


def refused(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = problem(answer, status, code)
    if status == 429:
        assert int(answer.headers["Retry-After"]) >= 1
    return body


def test_a_project_with_all_the_jobs_it_may_have_takes_no_more_until_one_ends(make: Making) -> None:
    api = make(quota_concurrent_jobs=2)
    api.submit()
    api.submit()
    before = api.kept()
    told = refused(api.post("/v1/jobs", json=JOB), 429, "queue_full")
    assert "concurrent_jobs" in told["detail"]
    assert api.kept() == before
    theirs = {"Authorization": f"Bearer {api.other}"}
    assert api.post("/v1/jobs", json=JOB, headers=theirs).status_code == 202
    finish_jobs(api)
    api.submit()


def test_posts_at_once_cannot_exceed_the_jobs_a_project_may_have(make: Making) -> None:
    api = make(quota_concurrent_jobs=3)
    found: list[int] = []
    barrier = threading.Barrier(8)

    def post() -> None:
        client = api.app.test_client()
        barrier.wait()
        answer = client.post("/v1/jobs", json=JOB, headers={"Authorization": f"Bearer {api.key}"})
        found.append(answer.status_code)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [202] * 3 + [429] * 5
    assert api.kept()["jobs"] == 3


def test_a_quota_of_its_own_wins_over_the_deployments(make: Making) -> None:
    api = make(quota_concurrent_jobs=1)
    set_own(api, concurrent_jobs=0)
    for _ in range(3):
        api.submit()
    set_own(api, concurrent_jobs=3)
    refused(api.post("/v1/jobs", json=JOB), 429, "queue_full")


def test_a_job_has_no_more_rows_than_it_may(make: Making) -> None:
    api = make(quota_rows_per_job=len(TICKETS))
    api.submit()
    before = api.kept()
    rows = [*TICKETS, {"id": 99, "text": "one too many"}]
    body = {**JOB, "inputs": {"tickets": {"rows": rows, "key": "id"}}}
    told = problem(api.post("/v1/jobs", json=body), 422, "too_many_rows", "/inputs")
    assert "rows_per_job" in told["detail"]
    assert api.kept() == before


def test_a_stream_takes_no_more_records_than_a_job_may_have(make: Making) -> None:
    api = make(quota_rows_per_job=len(TICKETS) + 1)
    job = api.post("/v1/jobs", json=STREAM).get_json()
    path = f"/v1/jobs/{job['id']}/records"
    new = [{"id": 100, "text": "a"}, {"id": 101, "text": "b"}]
    problem(api.post(path, json=new), 422, "too_many_rows")
    assert api.post(path, json=new[:1]).get_json()["accepted"] == 1
    assert api.post(path, json=new[:1]).get_json()["duplicates"] == 1
    problem(api.post(path, json=new[1:]), 422, "too_many_rows")


def test_a_project_that_stores_all_it_may_stores_no_more_until_it_deletes(make: Making) -> None:
    api = make()
    csv = b"id,text\n" + b"".join(b"%d,some text\n" % n for n in range(500))

    def upload() -> TestResponse:
        return api.post("/v1/tables", data=csv, content_type="text/csv")

    table = upload().get_json()
    set_own(api, stored_bytes=int(table["bytes"] * 1.5))
    before = api.kept()
    told = refused(upload(), 403, "storage_quota")
    assert "stored_bytes" in told["detail"]
    assert api.kept() == before
    set_own(api, stored_bytes=table["bytes"] - 1)
    refused(api.post("/v1/jobs", json=JOB), 403, "storage_quota")
    assert api.send("DELETE", f"/v1/tables/{table['id']}").status_code == 204
    set_own(api, stored_bytes=table["bytes"])
    assert upload().status_code == 201


def test_a_key_that_asks_too_often_is_told_when_to_come_again(make: Making) -> None:
    api = make(quota_key_requests_per_minute=3)
    assert [api.get("/v1/jobs").status_code for _ in range(3)] == [200] * 3
    told = api.get("/v1/jobs")
    refused(told, 429, "rate_limited")
    assert int(told.headers["Retry-After"]) <= 120  # the minute slides, as if requests came evenly
    theirs = {"Authorization": f"Bearer {api.other}"}
    assert api.get("/v1/jobs", headers=theirs).status_code == 200
    assert api.client.get("/livez").status_code == 200
    problem(api.get("/v1/jobs", headers={"Authorization": "Bearer apwa_"}), 401, "unauthorized")


def test_the_keys_of_a_project_share_its_requests_and_a_key_may_have_fewer(make: Making) -> None:
    api = make(quota_requests_per_minute=5)
    body = {"name": "slow", "role": "viewer", "requests_per_minute": 1}
    slow = {"Authorization": f"Bearer {api.post('/v1/api-keys', json=body).get_json()['secret']}"}
    assert api.get("/v1/jobs", headers=slow).status_code == 200
    refused(api.get("/v1/jobs", headers=slow), 429, "rate_limited")
    assert [api.get("/v1/jobs").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_processes_tell_each_other_what_came_and_count_alone_without_redis(
    settings: Settings,
) -> None:
    here, there, alone = (
        RequestRates(url, clock=lambda: 6e9)
        for url in (settings.redis_url, settings.redis_url, NOWHERE)
    )
    limits = {"key_shared": 4}
    assert [here.take(limits) for _ in range(3)] == [None] * 3
    assert here.share()
    assert there.take(limits) is None
    assert there.share()  # it hears of the three
    assert there.take(limits) is not None
    for _ in range(4):
        assert alone.take(limits) is None
    assert alone.take(limits) is not None
    assert not alone.share()
    for one in (here, there, alone):
        one.close()


def test_without_redis_requests_are_answered_and_limited_all_the_same(make: Making) -> None:
    api = make(quota_key_requests_per_minute=2, redis_url=NOWHERE)
    assert [api.get("/v1/jobs").status_code for _ in range(3)] == [200, 200, 429]


def test_how_many_streams_a_project_may_keep_open_can_be_asked(make: Making) -> None:
    api = make(quota_open_streams=3)
    with api.database.connect() as connection:
        assert most_open_streams(connection, api.settings, api.project_id) == 3
    refusal = too_many_open_streams(3)
    assert (refusal.code, refusal.retry_after_s > 0) == ("too_many_open_streams", True)


# --- what a project may spend in a day


PER_DAY = 1_000  # micro-dollars


def spent(api: Api, amount: int, per_day: int = PER_DAY) -> str:
    """Return a job of the project that has spent this."""
    with api.database.begin() as tx:
        job_id = new_job(tx, api.project_id)
        spend.open_account(tx, job_id, Budget())
        cost = Spend(microusd=amount)
        got = spend.reserve(tx, job_id, "w", Ask(cost, cost), 30.0, microusd_per_day=per_day)
        assert isinstance(got, spend.Reserved)
        spend.release(tx, job_id, "w", cost)
    return job_id


def reserve(api: Api, job_id: str, amount: int, worker: str = "w") -> Any:
    cost = Spend(microusd=amount)
    with api.database.begin() as tx:
        return spend.reserve(tx, job_id, worker, Ask(cost, cost), 30.0, microusd_per_day=PER_DAY)


def yesterday(api: Api) -> None:
    with api.database.begin() as tx:
        tx.execute(text("UPDATE spend_accounts SET day = day - 1"))


def test_a_project_that_spent_what_it_may_in_a_day_takes_no_job_until_midnight(
    make: Making,
) -> None:
    api = make(quota_spend_usd_per_day=PER_DAY / 1e6)
    spent(api, PER_DAY - 1)
    api.submit()
    spent(api, 1)
    answer = api.post("/v1/jobs", json=JOB)
    refused(answer, 429, "budget_exhausted")
    assert int(answer.headers["Retry-After"]) <= 86_400
    yesterday(api)
    api.submit()


def test_no_call_goes_out_beyond_what_a_project_may_spend_in_a_day(make: Making) -> None:
    api = make()
    first, second = spent(api, 400), spent(api, 300)
    full = reserve(api, first, 301)
    assert isinstance(full, Exhausted)
    assert (full.scope, full.limit, full.spent) == ("day", PER_DAY, 700)
    assert isinstance(reserve(api, first, 200), spend.Reserved)
    assert reserve(api, second, 150, "v") == Busy("day", "microusd")  # the other may give back
    assert isinstance(reserve(api, second, 100, "v"), spend.Reserved)
    yesterday(api)
    assert isinstance(reserve(api, second, 150, "v"), spend.Reserved)


def test_workers_at_once_cannot_spend_more_than_the_day_allows(make: Making) -> None:
    api = make()
    job_ids = [spent(api, 1) for _ in range(4)]
    taken: list[int] = []

    def take_all(job_id: str) -> None:
        for number in range(40):
            if isinstance(reserve(api, job_id, 20, f"{job_id}{number}"), spend.Reserved):
                taken.append(20)

    threads = [threading.Thread(target=take_all, args=(job_id,)) for job_id in job_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert PER_DAY - 4 - 20 < sum(taken) <= PER_DAY - 4


def test_a_job_paused_at_the_end_of_a_day_goes_on_the_next_one(make: Making) -> None:
    api = make()
    job_id = spent(api, PER_DAY)
    with api.database.begin() as tx:
        tx.execute(
            text("UPDATE jobs SET status = 'running', policy = '{\"on_budget\": \"finish\"}'")
        )
    full = reserve(api, job_id, 1)
    pause_job(api.database, job_id, 1, full.reason(), 1.0)
    with api.database.connect() as connection:
        paused = jobs.find(connection, job_id)
    assert paused is not None
    assert paused.status == "paused"  # not finished: tomorrow there is more
    assert paused.status_reason is not None
    assert paused.status_reason["scope"] == "day"
    assert resume_next_day(api.database) == set()

    with api.database.begin() as tx:  # midnight
        reason = full.reason() | {"until": "2020-01-01T00:00:00Z"}
        tx.execute(
            text("UPDATE jobs SET status_reason = CAST(:reason AS jsonb)"),
            {"reason": json.dumps(reason)},
        )
    assert resume_next_day(api.database) == {job_id}
    with api.database.connect() as connection:
        resumed = jobs.find(connection, job_id)
    assert resumed is not None
    assert resumed.status == "running"
    pause_job(api.database, job_id, 1, full.reason() | {"until": "2020-01-01T00:00:00Z"}, 1.0)
    with api.database.connect() as connection:
        again = jobs.find(connection, job_id)
    assert again is not None
    assert again.status == "running"  # an old story


def test_multipart_names_are_never_paths(make: Making, tmp_path: Any) -> None:
    api = make()
    for name in ("../../../../tmp/apwa-escaped.csv", "/tmp/apwa-escaped.csv", "..\\a.csv"):  # noqa: S108
        sent = {"file": (io.BytesIO(b"a\n1\n"), name)}
        made = api.post("/v1/tables", data=sent, content_type="multipart/form-data")
        assert made.status_code == 201, made.text
        assert made.get_json()["rows"] == 1
    assert not (tmp_path.parents[-1] / "tmp" / "apwa-escaped.csv").exists()
