"""Actions in the wrong state: each is a conflict that tells the state, and changes nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.api.operations import OPERATIONS
from services.planner.plan_job import Planner, plan_job
from shared.settings import Settings
from tests.integration.api_door import REDACT_PLAN, Api, problem
from tests.integration.api_objects import TOKEN, Objects, sound, whole_api

BY_NAME = {operation.name: operation for operation in OPERATIONS}
ENDED = "status = 'failed', finished_at = now()"
STREAM = {"stream": True, "columns": {"id": "integer", "text": "string"}, "key": "id"}
NO_STATE = {  # their conflicts are of another kind, each with a test of its own
    "create_job", "estimate_job", "run_workflow",  # table_open
    "create_project", "edit_project",  # name_taken
    "create_api_key", "create_trigger", "create_workflow", "create_webhook_endpoint",
    "rotate_webhook_secret",  # idempotency_in_flight
}  # fmt: skip


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = whole_api(settings, database)
    yield made
    made.close()


def change(api: Api, statement: str, **given: Any) -> None:
    with api.database.begin() as connection:
        assert connection.execute(text(statement), given).rowcount


def queued(api: Api) -> dict[str, str]:
    return {"job_id": str(api.submit()["id"])}


def ended(api: Api) -> dict[str, str]:
    made = queued(api)
    change(api, f"UPDATE jobs SET {ENDED} WHERE id = :job_id", **made)  # noqa: S608
    return made


def paused(api: Api) -> dict[str, str]:
    made = queued(api)
    assert api.post(f"/v1/jobs/{made['job_id']}/pause").status_code == 202
    return made


def running(api: Api) -> dict[str, str]:
    made, nobody = queued(api), lambda _job_id: None
    plan_job(Planner(api.database, api.settings, nobody, nobody), made["job_id"])
    assert api.get(f"/v1/jobs/{made['job_id']}").get_json()["status"] == "running"
    return made


def streaming(api: Api) -> dict[str, str]:
    body = {"plan": REDACT_PLAN, "inputs": {"tickets": STREAM}}
    return {"job_id": str(api.post("/v1/jobs", json=body).get_json()["id"])}


def no_more_records(api: Api) -> dict[str, str]:
    made = streaming(api)
    assert api.post(f"/v1/jobs/{made['job_id']}/records/end").status_code == 202
    return made


def of(kind: str, statement: str = "") -> Callable[[Api], dict[str, str]]:
    """Return the object of a kind, changed by the statement."""

    def made(api: Api) -> dict[str, str]:
        objects = Objects(api)
        place = kind.partition("{")[2].rstrip("}")
        found = {place: objects.id(kind)}
        if statement:
            change(api, statement, **found)
        return found

    return made


def used_table(api: Api) -> dict[str, str]:
    made = of("tables/{table_id}")(api)
    body = {"goal": "Redact all personal data", "inputs": {"t": {"table": made["table_id"]}}}
    assert api.post("/v1/jobs", json=body).status_code == 202
    return made


def used_file(api: Api) -> dict[str, str]:
    objects = Objects(api)
    objects.id("batches/{batch_id}")
    return {"file_id": objects.id("files/{file_id}")}


def posted(api: Api) -> dict[str, str]:
    objects = Objects(api)
    sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    trigger_id = objects.id("triggers/{trigger_id}")
    answer = api.client.post(f"/hooks/{trigger_id}", data=b'{"rows": []}', headers=sent)
    return {"trigger_id": trigger_id, "delivery_id": str(answer.get_json()["id"])}


def of_a_job(api: Api) -> dict[str, str]:
    """Return the endpoint a job brought."""
    job = api.submit(webhook={"url": "http://127.0.0.1:9000/hook"})
    return {"endpoint_id": str(job["webhook"]["endpoint"])}


WHE, DLV = "webhook-endpoints/{endpoint_id}", "deliveries/{delivery_id}"
DISABLED = """UPDATE webhook_endpoints SET disabled_at = now(), disabled_reason = '{}'
  WHERE id = :endpoint_id"""
LOADING = "UPDATE tables SET status = 'loading' WHERE id = :table_id"
REVOKED = "UPDATE api_keys SET revoked_at = now() WHERE id = :key_id"
BATCH_ENDED = f"""UPDATE jobs SET {ENDED}
  WHERE id IN (SELECT job_id FROM batches WHERE id = :batch_id)"""  # noqa: S608
# operation, what it is tried on, the code and what the answer has to say of the state
WRONG: list[tuple[str, Callable[[Api], dict[str, str]], str, str]] = [
    ("edit_job", ended, "wrong_state", "failed"),
    ("pause_job", ended, "wrong_state", "failed"),
    ("pause_job", paused, "wrong_state", "paused"),
    ("resume_job", ended, "wrong_state", "failed"),
    ("resume_job", queued, "wrong_state", "queued"),
    ("cancel_job", ended, "wrong_state", "failed"),
    ("finalize_job", ended, "wrong_state", "failed"),
    ("retry_job", queued, "wrong_state", "queued"),
    ("retry_job", running, "wrong_state", "running"),
    ("fork_job", running, "wrong_state", "running"),
    ("delete_job", paused, "wrong_state", "paused"),
    ("put_plan", running, "wrong_state", "running"),
    ("approve_plan", running, "wrong_state", "running"),
    ("approve_plan", ended, "wrong_state", "failed"),
    ("reject_plan", running, "wrong_state", "running"),
    ("get_bundle", running, "wrong_state", "running"),
    ("append_records", queued, "wrong_state", "batch"),
    ("append_records", ended, "wrong_state", "failed"),
    ("append_records", no_more_records, "wrong_state", "queued"),
    ("end_records", running, "wrong_state", "running"),
    ("get_rows", of("tables/{table_id}", LOADING), "wrong_state", "loading"),
    ("delete_table", used_table, "table_in_use", "not final"),
    ("delete_file", used_file, "file_in_use", "not ended"),
    ("cancel_batch", of("batches/{batch_id}", BATCH_ENDED), "wrong_state", "ended"),
    ("rotate_api_key", of("api-keys/{key_id}", REVOKED), "wrong_state", "revoked"),
    ("replay_trigger_delivery", posted, "wrong_state", "pending"),
    ("get_webhook_endpoint_secret", of_a_job, "wrong_state", "job's own"),
    ("rotate_webhook_endpoint_secret", of_a_job, "wrong_state", "job's own"),
    ("test_webhook_endpoint", of(WHE, DISABLED), "wrong_state", "disabled"),
    ("redeliver_range", of(WHE, DISABLED), "wrong_state", "disabled"),
    ("redeliver", of(DLV), "wrong_state", "pending"),
]  # fmt: skip


def test_an_action_in_the_wrong_state_is_a_conflict_that_tells_the_state(
    api: Api, subtests: pytest.Subtests
) -> None:
    for name, prepared, code, state in WRONG:
        operation, path = BY_NAME[name], BY_NAME[name].path
        for place, found in prepared(api).items():
            path = path.replace(f"{{{place}}}", found)
        before = api.kept()
        with subtests.test(f"{name} {state}"):
            headers = {"If-Match": "*"} if operation.if_match else {}
            answer = api.send(operation.method, path, headers=headers, **sound(operation))
            assert state in problem(answer, 409, code)["detail"]
            assert api.kept() == before


def test_no_action_with_a_wrong_state_is_left_out_here() -> None:
    conflicts = {one.name for one in OPERATIONS if 409 in dict(one.problems)}
    assert conflicts - NO_STATE == {name for name, *_ in WRONG}


def test_a_table_that_is_not_complete_is_no_input_of_a_batch_job(api: Api) -> None:
    loading = of("tables/{table_id}", LOADING)
    job_id = streaming(api)["job_id"]
    with api.database.connect() as connection:
        of_stream = "SELECT table_id FROM streams WHERE job_id = :id"
        still_open = connection.execute(text(of_stream), {"id": job_id}).scalar_one()
    for table_id in (loading(api)["table_id"], still_open):
        before = api.kept()
        body = {"plan": REDACT_PLAN, "inputs": {"tickets": {"table": table_id}}}
        for path in ("/v1/jobs", "/v1/jobs/estimate"):
            problem(api.post(path, json=body), 409, "table_open", "/inputs/tickets/table")
        assert api.kept() == before


def test_a_job_that_was_deleted_is_gone(api: Api, subtests: pytest.Subtests) -> None:
    made = ended(api)
    assert api.send("DELETE", f"/v1/jobs/{made['job_id']}").status_code == 202
    for name in ("finalize_job", "retry_job", "fork_job", "get_bundle", "create_view_token"):
        with subtests.test(name):
            path = BY_NAME[name].path.replace("{job_id}", made["job_id"])
            answer = api.send(BY_NAME[name].method, path, **sound(BY_NAME[name]))
            problem(answer, 410, "deleted")


def test_a_name_of_another_project_is_taken(api: Api) -> None:
    operator = {"Authorization": f"Bearer {api.key_with('admin', 'system')}"}
    body = {"name": "other"}
    problem(api.post("/v1/projects", json=body, headers=operator), 409, "name_taken")
    own = f"/v1/projects/{api.project_id}"
    problem(api.send("PATCH", own, json=body, headers=operator), 409, "name_taken")
