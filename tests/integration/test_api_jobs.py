"""Creating, listing, reading and cancelling jobs through the interface."""

import io
import json
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from shared.settings import Settings
from tests.integration.api_door import JOB, TICKETS, Api, problem


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def end(api: Api, job_id: str, status: str = "succeeded") -> None:
    with api.database.begin() as connection:
        ended = text("UPDATE jobs SET status = :status, finished_at = now() WHERE id = :id")
        connection.execute(ended, {"id": job_id, "status": status})


def test_a_job_is_stored_and_can_be_read_back(api: Api) -> None:
    answer = api.post("/v1/jobs", json={**JOB, "labels": {"customer": "42"}})
    assert answer.status_code == 202
    created = answer.get_json()
    assert answer.headers["Location"] == f"/v1/jobs/{created['id']}"
    assert api.get(answer.headers["Location"]).get_json() == created
    assert created["status"] == "queued"
    assert created["labels"] == {"customer": "42"}


def test_what_is_stored_of_a_job_is_what_was_asked(api: Api, database: Engine) -> None:
    policy = {"min_success": 0.5, "on_shortfall": "failed", "priority": 9, "budget": {"usd": 2}}
    job_id = api.submit(goal="Redact", policy=policy)["id"]
    with database.connect() as connection:
        row = connection.execute(
            text("SELECT * FROM jobs WHERE id = :id"), {"id": job_id}
        ).mappings().one()  # fmt: skip
        [event] = connection.execute(text("SELECT type, actor FROM events")).all()
        [audit] = connection.execute(
            text("SELECT object_id FROM audit_log WHERE action = 'job.create'")
        ).scalars()
    assert row["goal"] == "Redact"
    assert row["priority"] == 9
    assert row["policy"]["min_success"] == 0.5
    assert row["policy"]["on_shortfall"] == "failed"
    assert row["policy"]["budget"] == {"usd": 2.0, "tokens": None, "seconds": None}
    assert row["given_plan"] == JOB["plan"]
    assert row["request_id"].startswith("req_")
    assert event.type == "job.accepted"
    assert event.actor.startswith("key:key_")
    assert audit == job_id


def test_the_rows_of_a_job_are_a_sealed_table_with_statistics(api: Api) -> None:
    api.submit()
    [table] = api.get("/v1/tables").get_json()["items"]
    shown = api.get(f"/v1/tables/{table['id']}").get_json()
    assert shown["status"] == "sealed"
    assert shown["rows"] == len(TICKETS)
    assert shown["key"] == "id"
    assert shown["statistics"]["id"]["distinct"] == len(TICKETS)
    assert api.get(f"/v1/tables/{table['id']}/rows").get_json()["items"] == TICKETS


def test_a_text_becomes_a_table_of_one_row(api: Api) -> None:
    api.submit(plan=None, goal="Summarise", inputs={"play": {"text": "ACT I\nä"}})
    [table] = api.get("/v1/tables").get_json()["items"]
    rows = api.get(f"/v1/tables/{table['id']}/rows").get_json()["items"]
    assert rows == [{"text": "ACT I\nä", "name": "play"}]


def test_files_of_a_multipart_body_become_the_inputs_of_their_name(api: Api) -> None:
    described = {**JOB, "inputs": {"tickets": {"key": "id"}}}
    form = {
        "job": json.dumps(described),
        "tickets": (io.BytesIO(b"id,text\n1,a\n2,b\n"), "../t.csv"),
    }
    answer = api.post("/v1/jobs", data=form)
    assert answer.status_code == 202, answer.text
    [table] = api.get("/v1/tables").get_json()["items"]
    rows = api.get(f"/v1/tables/{table['id']}/rows").get_json()["items"]
    assert rows == [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]


def test_an_uploaded_table_can_be_the_input_of_many_jobs(api: Api) -> None:
    body = b"id,text\n1,a\n"
    table = api.post("/v1/tables?key=id", data=body, content_type="text/csv").get_json()
    given = {"tickets": {"table": table["id"], "key": "id"}}
    assert api.submit(inputs=given)["id"] != api.submit(inputs=given)["id"]
    assert len(api.get("/v1/tables").get_json()["items"]) == 1


def test_a_key_of_an_uploaded_table_is_checked_when_a_job_names_it(api: Api) -> None:
    body = b"id,text\n1,a\n1,b\n"
    table = api.post("/v1/tables", data=body, content_type="text/csv").get_json()
    given = {"tickets": {"table": table["id"], "key": "id"}}
    answer = api.post("/v1/jobs", json={**JOB, "inputs": given})
    problem(answer, 422, "key_not_unique", "/inputs/tickets/key")
    given = {"tickets": {"table": table["id"], "key": "no"}}
    answer = api.post("/v1/jobs", json={**JOB, "inputs": given})
    problem(answer, 422, "invalid", "/inputs/tickets/key")


def test_jobs_are_listed_newest_first_in_pages_without_gaps(api: Api) -> None:
    made = [api.submit()["id"] for _ in range(5)]
    seen: list[str] = []
    path = "/v1/jobs?limit=2"
    while path:
        page = api.get(path).get_json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        path = f"/v1/jobs?limit=2&cursor={cursor}" if cursor else ""
    assert sorted(seen) == sorted(made)
    assert seen == sorted(seen, reverse=True)


def test_the_list_shows_each_job_as_it_is_shown_alone(api: Api) -> None:
    job_id = api.submit()["id"]
    [listed] = api.get("/v1/jobs").get_json()["items"]
    assert listed == api.get(f"/v1/jobs/{job_id}").get_json()


def test_the_list_is_filtered_by_state_label_time_and_goal(api: Api) -> None:
    first = api.submit(goal="Redact 100% of it", labels={"team": "a"})
    second = api.submit(goal="Summarise", labels={"team": "b", "x.y": "1"})
    end(api, first["id"])

    def found(query: str) -> list[str]:
        return [job["id"] for job in api.get(f"/v1/jobs?{query}").get_json()["items"]]

    assert found("status=succeeded") == [first["id"]]
    assert found("label.team=b&label.x.y=1") == [second["id"]]
    assert found("label.team=a&label.x.y=1") == []
    assert found("q=SUMMAR") == [second["id"]]
    assert found("q=100%25") == [first["id"]]
    assert found("q=100_") == []
    assert found(f"created_after={second['created_at']}") == [second["id"]]
    assert found(f"created_before={second['created_at']}") == [first["id"]]
    assert found("created_after=2999-01-01T00:00:00Z") == []


def test_an_unchanged_job_is_not_sent_again(api: Api) -> None:
    path = f"/v1/jobs/{api.submit()['id']}"
    etag = api.get(path).headers["ETag"]
    again = api.get(path, headers={"If-None-Match": etag})
    assert again.status_code == 304
    assert again.data == b""
    api.post(f"{path}/cancel")
    changed = api.get(path, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


def test_waiting_ends_when_the_job_is_final_or_the_time_is_over(api: Api) -> None:
    job_id = api.submit()["id"]
    assert api.get(f"/v1/jobs/{job_id}?wait=1").get_json()["status"] == "queued"
    end(api, job_id)
    assert api.get(f"/v1/jobs/{job_id}?wait=60").get_json()["status"] == "succeeded"


def test_cancelling_a_job_ends_its_work_and_is_written_down(api: Api) -> None:
    job_id = api.submit()["id"]
    answer = api.post(f"/v1/jobs/{job_id}/cancel", json={})
    assert answer.status_code == 202
    assert answer.get_json()["status"] == "finalizing"
    types = [event["type"] for event in api.get(f"/v1/jobs/{job_id}/events").get_json()["items"]]
    assert types == ["job.accepted", "job.stopped"]
    with api.database.connect() as connection:
        actions = connection.execute(text("SELECT action FROM audit_log ORDER BY id")).scalars()
        assert "job.cancel" in list(actions)


def test_an_action_takes_no_fields(api: Api) -> None:
    job_id = api.submit()["id"]
    answer = api.post(f"/v1/jobs/{job_id}/cancel", json={"force": True})
    problem(answer, 422, "invalid")


def test_a_job_without_a_plan_yet_has_no_plan_no_stages_and_no_rows(api: Api) -> None:
    job_id = api.submit()["id"]
    problem(api.get(f"/v1/jobs/{job_id}/plan"), 404, "not_found")
    for part in ("stages", "subtasks", "failures"):
        page = api.get(f"/v1/jobs/{job_id}/{part}").get_json()
        assert page == {"items": [], "next_cursor": None}
    results = api.get(f"/v1/jobs/{job_id}/results").get_json()
    assert results["items"] == []
    assert results["next_cursor"] is None
    assert api.get(f"/v1/jobs/{job_id}/results?format=jsonl").data == b""


def test_events_come_in_order_and_in_pages(api: Api) -> None:
    job_id = api.submit()["id"]
    api.post(f"/v1/jobs/{job_id}/cancel")
    first = api.get(f"/v1/jobs/{job_id}/events?limit=1").get_json()
    second = api.get(f"/v1/jobs/{job_id}/events?cursor={first['next_cursor']}").get_json()
    assert [event["seq"] for event in first["items"] + second["items"]] == [1, 2]
    assert second["next_cursor"] is None
    refused = api.get(f"/v1/jobs/{job_id}/events", headers={"Accept": "text/html"})
    problem(refused, 406, "not_acceptable")


def test_the_request_id_of_the_client_is_kept_and_a_bad_one_replaced(api: Api) -> None:
    mine = {"X-Request-Id": "build-17.a"}
    assert api.get("/livez", headers=mine).headers["X-Request-Id"] == "build-17.a"
    bad = {"X-Request-Id": "a b<script>"}
    assert api.get("/livez", headers=bad).headers["X-Request-Id"].startswith("req_")


def test_head_and_options_are_answered(api: Api) -> None:
    job_id = api.submit()["id"]
    head = api.send("HEAD", f"/v1/jobs/{job_id}")
    assert head.status_code == 200
    assert head.data == b""
    assert api.send("HEAD", f"/v1/jobs/{job_id}/results?format=csv").status_code == 200
    options = api.send("OPTIONS", "/v1/jobs")
    assert options.status_code == 200
    assert "POST" in options.headers["Allow"]


def test_the_key_of_a_request_is_noted_as_used(api: Api) -> None:
    api.get("/v1/jobs")
    api.close()
    with api.database.connect() as connection:
        used = connection.execute(
            text("SELECT count(*) FROM api_keys WHERE last_used_at IS NOT NULL")
        ).scalar_one()
    assert used == 1
