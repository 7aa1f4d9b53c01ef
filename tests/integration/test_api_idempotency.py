"""`Idempotency-Key`: one key, one object, the same answer again."""

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from shared.database import idempotency
from shared.settings import Settings
from tests.integration.api_door import JOB, Api, problem


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def create(api: Api, key: str, **changes: object) -> TestResponse:
    return api.post("/v1/jobs", json={**JOB, **changes}, headers={"Idempotency-Key": key})


def test_the_same_key_and_body_give_the_same_job(api: Api) -> None:
    first = create(api, "a")
    again = create(api, "a")
    assert again.status_code == 202
    assert again.get_json() == first.get_json()
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert api.kept()["jobs"] == 1
    assert api.kept()["tables"] == 1


def test_a_key_with_another_body_or_path_is_refused(api: Api) -> None:
    job_id = create(api, "a").get_json()["id"]
    problem(create(api, "a", labels={"x": "y"}), 422, "idempotency_key_reused")
    used = {"Idempotency-Key": "a"}
    answer = api.post(f"/v1/jobs/{job_id}/cancel", headers=used)
    problem(answer, 422, "idempotency_key_reused")
    answer = api.post("/v1/tables", data=b"a\n1\n", content_type="text/csv", headers=used)
    problem(answer, 422, "idempotency_key_reused")
    assert api.kept()["jobs"] == 1


def test_a_key_of_another_project_is_another_key(api: Api) -> None:
    create(api, "a")
    stranger = {"Authorization": f"Bearer {api.other}", "Idempotency-Key": "a"}
    assert "Idempotency-Replayed" not in api.post("/v1/jobs", json=JOB, headers=stranger).headers
    assert api.kept()["jobs"] == 2


def test_a_refused_request_does_not_use_its_key_up(api: Api) -> None:
    problem(create(api, "a", goal=5), 422, "invalid")
    assert create(api, "a").status_code == 202


def test_keys_are_short_and_visible(api: Api) -> None:
    for key in ("x" * 256, "x" * 300, "", "a\tb"):
        problem(create(api, key), 422, "invalid", "/headers/Idempotency-Key")
    assert create(api, "x" * 255).status_code == 202


def test_uploads_and_cancels_replay_too(api: Api) -> None:
    used = {"Idempotency-Key": "t"}
    first = api.post("/v1/tables", data=b"a\n1\n", content_type="text/csv", headers=used)
    again = api.post("/v1/tables", data=b"a\n1\n", content_type="text/csv", headers=used)
    assert first.status_code == again.status_code == 201
    assert again.get_json() == first.get_json()
    assert api.kept()["tables"] == 1
    job_id = api.submit()["id"]
    used = {"Idempotency-Key": "c"}
    first = api.post(f"/v1/jobs/{job_id}/cancel", headers=used)
    with api.database.begin() as connection:
        connection.execute(text("UPDATE jobs SET status = 'cancelled', finished_at = now()"))
    again = api.post(f"/v1/jobs/{job_id}/cancel", headers=used)
    assert again.status_code == 202
    assert again.get_json() == first.get_json()


def test_a_key_in_flight_is_a_conflict(api: Api) -> None:
    with api.database.begin() as connection:
        assert idempotency.take(connection, api.project_id, "a")
        problem(create(api, "a"), 409, "idempotency_in_flight")
    assert create(api, "a").status_code == 202


def test_an_answer_is_forgotten_after_a_day(api: Api) -> None:
    first = create(api, "a").get_json()
    with api.database.begin() as connection:
        connection.execute(
            text("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
        )
    second = create(api, "a")
    assert "Idempotency-Replayed" not in second.headers
    assert second.get_json()["id"] != first["id"]
    assert create(api, "a").get_json() == second.get_json()


def test_outdated_answers_are_swept(api: Api) -> None:
    create(api, "old")
    with api.database.begin() as connection:
        connection.execute(
            text("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
        )
    create(api, "new")
    with api.database.begin() as connection:
        assert idempotency.sweep(connection) == 1
    assert "Idempotency-Replayed" in create(api, "new").headers


def test_many_at_once_with_one_key_make_one_job(api: Api) -> None:
    start = threading.Barrier(6)
    answers: list[TestResponse] = []

    def send() -> None:
        client = api.app.test_client()
        headers = {"Authorization": f"Bearer {api.key}", "Idempotency-Key": "one"}
        start.wait()
        answers.append(client.post("/v1/jobs", json=JOB, headers=headers))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} <= {202, 409}
    made = {answer.get_json()["id"] for answer in answers if answer.status_code == 202}
    assert len(made) == 1
    assert api.kept()["jobs"] == 1
    assert api.kept()["tables"] == 1
