"""Streams, view tokens and single subtasks, as a client in this process sees them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.api.openapi import document
from services.api.wired import wired_to
from services.cli.replay.replay_bundle import replay_bundle
from shared.actions.keys import revoke_key
from shared.settings import Settings
from tests.integration.api_door import Api, problem
from tests.integration.test_api_docs import check
from tests.integration.test_api_results import Job

SSE = {"Accept": "text/event-stream"}
DETAIL = "/v1/jobs/{job_id}/subtasks/{stage}/{unit}"


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def run(api: Api, sql: str, **values: Any) -> Any:
    with api.database.begin() as connection:
        found = connection.execute(text(sql), values)
        return found.all() if found.returns_rows else None


def final_job(api: Api) -> str:
    """A job that is over; nobody worked on it."""
    job_id = str(api.submit()["id"])
    run(api, "UPDATE jobs SET status = 'cancelled', finished_at = now() WHERE id = :id", id=job_id)
    return job_id


def frames(body: str) -> list[dict[str, str]]:
    return [
        dict(line.split(": ", 1) for line in frame.splitlines()) for frame in body.split("\n\n")
        if frame and not frame.startswith(":")
    ]  # fmt: skip


def new_token(api: Api, job_id: str, **more: Any) -> Any:
    answer = api.post(f"/v1/jobs/{job_id}/view-tokens", **more)
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def test_a_stream_of_a_final_job_tells_everything_and_ends(api: Api) -> None:
    job_id = final_job(api)
    answer = api.get(f"/v1/jobs/{job_id}/events", headers=SSE)
    assert answer.content_type == "text/event-stream; charset=utf-8"
    told = frames(answer.text)
    assert [frame["event"] for frame in told] == ["snapshot", "job.accepted", "done"]
    assert [frame.get("id") for frame in told] == [None, "1", None]
    check(json.loads(told[0]["data"])["job"], shape("/v1/jobs/{job_id}"))
    assert json.loads(told[0]["data"])["last_event_id"] == "1"

    again = api.get(f"/v1/jobs/{job_id}/events", headers={**SSE, "Last-Event-ID": "1"})
    assert [frame["event"] for frame in frames(again.text)] == ["snapshot", "done"]


def shape(path: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["paths"][path]["get"]["responses"]["200"]
    return found


def test_what_is_no_place_in_the_stream_is_refused(api: Api) -> None:
    job_id = final_job(api)
    path = f"/v1/jobs/{job_id}/events"
    for header in ("2", "x", "-1"):
        answer = api.get(path, headers={**SSE, "Last-Event-ID": header})
        problem(answer, 422, "invalid", "/headers/Last-Event-ID")
    problem(api.get(f"{path}?limit=5", headers=SSE), 422, "invalid", "/query/limit")
    problem(api.get(path, headers={"Accept": "text/html"}), 406, "not_acceptable")
    assert api.get(path, headers={"Accept": "*/*"}).content_type == "application/json"


def test_no_stream_keeps_its_place_when_it_is_over(api: Api) -> None:
    job_id = final_job(api)
    streams = wired_to(api.app).streams
    for _ in range(api.settings.api_streams + 1):
        assert frames(api.get(f"/v1/jobs/{job_id}/events", headers=SSE).text)
    assert api.send("HEAD", f"/v1/jobs/{job_id}/events", headers=SSE).status_code == 200
    held = [streams.take() for _ in range(api.settings.api_streams)]
    answer = api.get(f"/v1/jobs/{job_id}/events", headers=SSE)
    problem(answer, 429, "too_many_open_streams")
    assert answer.headers["Retry-After"] == "10"
    assert len(held) == api.settings.api_streams


def test_a_key_that_ends_takes_its_streams_and_its_tokens_along(api: Api) -> None:
    job_id = final_job(api)
    token = new_token(api, job_id)["token"]
    path = f"/v1/jobs/{job_id}?token={token}"
    assert api.client.get(path).status_code == 200

    [(key_id,)] = run(api, "SELECT key_id FROM view_tokens")
    with api.database.begin() as connection:
        assert revoke_key(connection, api.project_id, key_id)

    problem(api.client.get(path), 401, "unauthorized")


def test_a_view_token_is_checked_like_every_body(api: Api) -> None:
    job_id = final_job(api)
    path = f"/v1/jobs/{job_id}/view-tokens"
    for ttl in (0, -1, 604_801, "60", 1.5, None, True):
        problem(api.post(path, json={"ttl_s": ttl}), 422, "invalid", "/ttl_s")
    problem(api.post(path, json={"scope": "all"}), 422, "invalid", "/scope")
    answer = api.post(path, headers={"Authorization": f"Bearer {api.key_with('jobs:read')}"})
    problem(answer, 403, "missing_scope")
    other = {"Authorization": f"Bearer {api.other}"}
    problem(api.post(path, headers=other), 404, "not_found")
    problem(api.get(f"/v1/jobs/{job_id}?token=x", headers=other), 404, "not_found")
    actions = run(api, "SELECT action, detail FROM audit_log WHERE object_id = :id", id=job_id)
    assert [action for action, _ in actions] == ["job.create"]
    new_token(api, job_id, json={"ttl_s": 5})
    actions = run(api, "SELECT action, detail FROM audit_log WHERE object_id = :id", id=job_id)
    assert actions[-1][0] == "job.view_token"
    assert actions[-1][1]["ttl_s"] == 5


def test_a_repeated_answer_holds_the_token_only_where_it_could_be_sealed(
    api: Api, settings: Settings
) -> None:
    key = {"Idempotency-Key": "again"}
    job_id = final_job(api)
    made = new_token(api, job_id, headers=key)
    again = api.post(f"/v1/jobs/{job_id}/view-tokens", headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.get_json() == {**made, "token": None}

    sealing = Api(replace(settings, secret_keys="k" * 40), api.database)
    key = {"Idempotency-Key": "sealed"}
    made = new_token(sealing, job_id, headers=key)
    again = sealing.post(f"/v1/jobs/{job_id}/view-tokens", headers=key)
    assert again.get_json() == made
    kept = run(api, "SELECT body::text FROM idempotency_keys")
    assert not any(made["token"] in body for (body,) in kept)
    sealing.close()


def test_a_subtask_has_the_documented_shape_before_and_after_it_is_settled(api: Api) -> None:
    job = Job(api)
    waiting = api.get(f"/v1/jobs/{job.id}/subtasks/clean/1").get_json()
    check(waiting, shape(DETAIL))
    assert (waiting["state"], waiting["outcome"], waiting["attempts"]) == ("waiting", None, [])
    assert waiting["input"]["rows"] == [{"id": 2, "text": "t2"}, {"id": 3, "text": "t3"}]
    assert waiting["prompt"]["status"] == "none"

    job.shard([1, 4], noted=1, bad=(4,))

    good = api.get(f"/v1/jobs/{job.id}/subtasks/clean/1").get_json()
    bad = api.get(f"/v1/jobs/{job.id}/subtasks/clean/4").get_json()
    for shown in (good, bad):
        check(shown, shape(DETAIL))
        assert shown["state"] == "settled"
    assert len(good["output"]) == 2
    assert (bad["outcome"], bad["error"]) == ("failed", {"code": "timeout", "detail": "after 4 s"})
    assert bad["lineage"]["sources"][0]["rows"] == [[8, 2]]
    for path in ("clean/5", "clean/1e3", "clean/٣", "dirty/0", f"clean/{'9' * 16}"):
        problem(api.get(f"/v1/jobs/{job.id}/subtasks/{path}"), 404, "not_found")


def test_only_a_final_job_has_a_bundle(api: Api, tmp_path: Path) -> None:
    job = api.submit()
    answer = problem(api.get(f"/v1/jobs/{job['id']}/bundle"), 409, "wrong_state")
    assert answer["errors"][0]["detail"] == "queued"
    job_id = final_job(api)
    (tmp_path / "job.zip").write_bytes(api.get(f"/v1/jobs/{job_id}/bundle").data)
    assert replay_bundle(tmp_path / "job.zip").findings == []
    headed = api.send("HEAD", f"/v1/jobs/{job_id}/bundle")
    assert (headed.status_code, headed.data) == (200, b"")


def test_head_and_options_are_answered_on_every_route(api: Api) -> None:
    job_id = final_job(api)
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/events", "/v1/jobs", "/livez"):
        headed, got = api.send("HEAD", path), api.get(path)
        assert (headed.status_code, headed.data) == (200, b""), path
        assert headed.content_type == got.content_type
        allowed = api.send("OPTIONS", path)
        assert allowed.status_code == 200
        assert {"GET", "HEAD", "OPTIONS"} <= set(allowed.headers["Allow"].split(", "))
    for method in ("HEAD", "OPTIONS"):
        assert api.send(method, "/v1/nothing").status_code == 404
    refused = api.send("HEAD", "/v1/jobs/job_01j00000000000000000000000")
    assert (refused.status_code, refused.data) == (404, b"")
    assert refused.content_type == "application/problem+json"


@pytest.mark.parametrize(
    "given",
    ["00-" + "0" * 32 + "-00f067aa0ba902b7-01", "ff-" + "a" * 32 + "-00f067aa0ba902b7-01", "x"],
)
def test_a_trace_that_is_none_is_not_continued(api: Api, given: str) -> None:
    job = api.post("/v1/jobs", json=_job(), headers={"traceparent": given}).get_json()
    kept = run(api, "SELECT traceparent FROM jobs WHERE id = :id", id=job["id"])
    assert kept == [(None,)]


def _job() -> dict[str, Any]:
    return {"goal": "Redact all personal data", "inputs": {"tickets": {"rows": [{"id": 1}]}}}
