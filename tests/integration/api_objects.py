"""An object of each kind behind the paths of the document; a sound request of each operation."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine
from werkzeug.test import TestResponse

from services.api.operations import OPERATIONS
from services.api.operations.parts import Operation
from shared.capabilities import builtin
from shared.database import capabilities
from shared.settings import Settings
from tests.integration.api_door import JOB, REDACT_PLAN, TICKETS, Api
from tests.stack import SECRET_KEY

OF_NO_PROJECT = {"get_openai_model"}  # a path that names what the operator configured
OBJECTS = [
    one
    for one in OPERATIONS
    if "{" in one.path and not one.public and one.name not in OF_NO_PROJECT
]
TOKEN = "a token of the tests, long enough"
TRIGGER: dict[str, Any] = {
    "name": "hook", "scheme": "token", "secret": TOKEN,
    "job": {"plan": REDACT_PLAN}, "mapping": {"inputs": {"tickets": {"rows": "/rows"}}},
}  # fmt: skip
BODIES: dict[str, Any] = {  # what a request needs to be looked at at all
    "create_job": JOB,
    "estimate_job": JOB,
    "edit_job": {"priority": 5},
    "fork_job": {},
    "put_plan": {"plan": REDACT_PLAN},
    "append_records": [{"id": 1}],
    "create_workflow": {"name": "clean_up", "plan": REDACT_PLAN},
    "run_workflow": {"inputs": {"tickets": {"rows": TICKETS}}},
    "create_trigger": TRIGGER,
    "edit_trigger": {"name": "another"},
    "simulate_trigger": {"headers": {}, "payload": {}},
    "create_webhook_endpoint": {"url": "http://127.0.0.1:9000/hook"},
    "edit_webhook_endpoint": {"description": "another"},
    "redeliver_range": {"since": "2026-01-01T00:00:00Z"},
    "create_batch": {"input_file_id": "fil_" + "0" * 26, "endpoint": "/v1/chat/completions",
                     "completion_window": "24h"},
    "create_api_key": {"name": "n", "role": "viewer"},
    "create_project": {"name": "another"},
    "edit_project": {"weight": 2},
}  # fmt: skip


def whole_api(settings: Settings, database: Engine) -> Api:
    """Return an api of which every part is configured; addresses of this machine are allowed."""
    made = Api(
        replace(
            settings, secret_keys=SECRET_KEY, openai_base_url="http://127.0.0.1:1/v1",
            model="small", allow_networks="127.0.0.0/8",
        ),
        database,
    )  # fmt: skip
    with database.begin() as connection:
        capabilities.publish(connection, [builtin.manifests()["chat"].to_json()])
    return made


def sound(operation: Operation) -> dict[str, Any]:
    """Return the body of a request that is fine, as the client's arguments."""
    if operation.name == "create_table":
        return {"data": b"a\n1\n", "content_type": "text/csv"}
    if operation.name == "create_file":
        return {"data": file_form(), "content_type": "multipart/form-data"}
    return {"json": BODIES.get(operation.name, {})} if operation.body is not None else {}


def file_form() -> dict[str, Any]:
    """Return a form with a file of one request line."""
    line = b"""{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions",
      "body": {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}}"""
    return {
        "purpose": "batch",
        "file": (io.BytesIO(line.replace(b"\n", b"") + b"\n"), "asked.jsonl"),
    }


class Objects:
    """One object of each kind in the project of `api.key`, made when it is first asked for."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._made: dict[str, str] = {}

    def path(self, operation: Operation) -> str:
        """Return the operation's path with the ids of objects that exist."""
        path = operation.path
        for kind, place in places(operation.path):
            path = path.replace(place, self.id(kind))
        return path

    def id(self, kind: str) -> str:
        """Return the id of the object of this kind."""
        if kind not in self._made:
            self._made[kind] = MAKERS[kind](self._api, self)
        return self._made[kind]


def places(path: str) -> list[tuple[str, str]]:
    """Name each id of a path after what stands before it: `triggers/{trigger_id}`."""
    parts = path.strip("/").split("/")
    return [(f"{parts[at - 1]}/{part}", part) for at, part in enumerate(parts) if "{" in part]


def nowhere(operation: Operation) -> str:
    """Return the operation's path with ids nobody has."""
    path = operation.path
    for kind, place in places(path):
        prefix = PREFIXES.get(kind)
        path = path.replace(place, f"{prefix}_{'0' * 26}" if prefix else UNKNOWN.get(kind, "none"))
    return path


def created(answer: TestResponse) -> Any:
    assert answer.status_code in {200, 201, 202}, answer.text
    return answer.get_json()


def a_job(api: Api, _: Objects) -> str:
    """A stream, so that its records are there as well."""
    stream = {"stream": True, "columns": {"id": "integer", "text": "string"}, "key": "id"}
    body = {"plan": REDACT_PLAN, "inputs": {"tickets": stream}}
    return str(created(api.post("/v1/jobs", json=body))["id"])


def a_table(api: Api, _: Objects) -> str:
    return str(created(api.post("/v1/tables", data=b"a\n1\n", content_type="text/csv"))["id"])


def a_workflow(api: Api, _: Objects) -> str:
    return str(created(api.post("/v1/workflows", json=BODIES["create_workflow"]))["name"])


def a_trigger(api: Api, _: Objects) -> str:
    return str(created(api.post("/v1/triggers", json=TRIGGER))["id"])


def a_posted(api: Api, objects: Objects) -> str:
    trigger = objects.id("triggers/{trigger_id}")
    sent = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    answer = api.client.post(f"/hooks/{trigger}", data=b'{"rows": []}', headers=sent)
    return str(created(answer)["id"])


def an_endpoint(api: Api, _: Objects) -> str:
    body = BODIES["create_webhook_endpoint"]
    return str(created(api.post("/v1/webhook-endpoints", json=body))["id"])


def a_delivery(api: Api, objects: Objects) -> str:
    endpoint = objects.id("webhook-endpoints/{endpoint_id}")
    return str(created(api.post(f"/v1/webhook-endpoints/{endpoint}/test"))["id"])


def a_file(api: Api, _: Objects) -> str:
    answer = api.post("/openai/v1/files", data=file_form(), content_type="multipart/form-data")
    return str(created(answer)["id"])


def a_batch(api: Api, objects: Objects) -> str:
    body = {**BODIES["create_batch"], "input_file_id": objects.id("files/{file_id}")}
    return str(created(api.post("/openai/v1/batches", json=body))["id"])


def a_key(api: Api, _: Objects) -> str:
    return str(created(api.post("/v1/api-keys", json=BODIES["create_api_key"]))["id"])


MAKERS: dict[str, Callable[[Api, Objects], str]] = {
    "jobs/{job_id}": a_job,
    "records/{key}": lambda _api, _objects: "1",
    "subtasks/{stage}": lambda _api, _objects: "clean",
    "{stage}/{unit}": lambda _api, _objects: "0",
    "tables/{table_id}": a_table,
    "workflows/{name}": a_workflow,
    "triggers/{trigger_id}": a_trigger,
    "deliveries/{delivery_id}": a_delivery,
    "webhook-endpoints/{endpoint_id}": an_endpoint,
    "files/{file_id}": a_file,
    "batches/{batch_id}": a_batch,
    "api-keys/{key_id}": a_key,
    "projects/{project_id}": lambda api, _objects: api.project_id,
}
PREFIXES = {
    "jobs/{job_id}": "job", "tables/{table_id}": "tbl", "triggers/{trigger_id}": "trg",
    "deliveries/{delivery_id}": "dlv", "webhook-endpoints/{endpoint_id}": "whe",
    "api-keys/{key_id}": "key", "projects/{project_id}": "prj", "files/{file_id}": "fil",
    "batches/{batch_id}": "bat",
}  # fmt: skip
UNKNOWN = {"{stage}/{unit}": "0", "records/{key}": "1", "subtasks/{stage}": "clean"}


def real_path(api: Api, objects: Objects, operation: Operation) -> str:
    """Return a path to what exists; what a trigger was posted lies under it."""
    if operation.name in OF_NO_PROJECT:
        return operation.path.replace("{model}", "small")
    if operation.path.startswith("/hooks/"):
        return operation.path.replace("{trigger_id}", objects.id("triggers/{trigger_id}"))
    if operation.path.startswith("/v1/triggers/") and "{delivery_id}" in operation.path:
        path = operation.path.replace("{trigger_id}", objects.id("triggers/{trigger_id}"))
        return path.replace("{delivery_id}", a_posted(api, objects))
    return objects.path(operation)
