"""The API as a client sees it, in this process, on a real database."""

import json
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from services.api.app import create_app
from services.api.wired import wired_to
from shared.actions.actor import SCOPES
from shared.actions.keys import create_key, ensure_default_project
from shared.capabilities import builtin
from shared.database import capabilities, keys
from shared.domain.ids import new_id
from shared.settings import Settings

REDACT_PLAN: dict[str, Any] = {
    "version": 1,
    "stages": [
        {
            "name": "clean",
            "over": "tickets",
            "unit": {"rows": 1},
            "capability": "redact",
            "params": {"field": "text"},
        }
    ],
    "result": {"table": "clean"},
}
TICKETS: list[dict[str, Any]] = [{"id": n, "text": f"mail a{n}@example.com"} for n in range(5)]
JOB: dict[str, Any] = {"plan": REDACT_PLAN, "inputs": {"tickets": {"rows": TICKETS, "key": "id"}}}
NOT_HERE = "chat"  # a capability that exists and that no worker of these tests has
KEPT = (
    "jobs", "job_inputs", "plans", "events", "tables", "table_chunks", "batch_files", "batches",
    "streams", "stream_batches", "stream_keys", "workflows", "workflow_versions", "triggers",
    "trigger_deliveries", "webhook_endpoints", "webhook_batches", "deliveries", "view_tokens",
    "api_keys", "projects", "idempotency_keys", "audit_log",
)  # fmt: skip


class Api:
    """A client with a key of its own project; `other` holds a key of another project."""

    def __init__(self, settings: Settings, database: Engine) -> None:
        self.settings, self.database = settings, database
        self.app = create_app(settings)
        self.client: FlaskClient = self.app.test_client()
        with database.begin() as connection:
            self.project_id = ensure_default_project(connection)
            _, self.key = create_key(connection, self.project_id, "all", SCOPES)
            other = keys.insert_project(connection, new_id("prj"), "other")
            _, self.other = create_key(connection, other, "other", SCOPES)
            here = {name: one for name, one in builtin.manifests().items() if name != NOT_HERE}
            known = [manifest.to_json() for manifest in here.values()]
            capabilities.publish(connection, known)

    def close(self) -> None:
        """Give back what the application holds."""
        wired_to(self.app).close()

    def send(self, method: str, path: str, **rest: Any) -> TestResponse:
        """Send a request with the key, unless `headers` bring another."""
        headers = {"Authorization": f"Bearer {self.key}", **(rest.pop("headers", None) or {})}
        return self.client.open(path, method=method, headers=headers, **rest)

    def get(self, path: str, **rest: Any) -> TestResponse:
        """GET with the key."""
        return self.send("GET", path, **rest)

    def post(self, path: str, **rest: Any) -> TestResponse:
        """POST with the key."""
        return self.send("POST", path, **rest)

    def key_with(self, *scopes: str) -> str:
        """Return a new key with these scopes only."""
        with self.database.begin() as connection:
            return create_key(connection, self.project_id, "some", scopes)[1]

    def submit(self, **changes: Any) -> dict[str, Any]:
        """Create a job and return it."""
        answer = self.post("/v1/jobs", json={**JOB, **changes})
        assert answer.status_code == 202, answer.text
        return dict(answer.get_json())

    def kept(self) -> dict[str, int]:
        """Count what requests leave in the database."""
        with self.database.connect() as connection:
            return {
                table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608
                for table in KEPT
            }


def problem(answer: TestResponse, status: int, code: str, pointer: str | None = None) -> Any:
    """Check that an answer is this problem and return it."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    body = json.loads(answer.data)
    assert body["code"] == code, body
    assert body["status"] == status
    assert {"type", "title", "detail", "request_id"} <= set(body)
    assert body["request_id"] == answer.headers["X-Request-Id"]
    if pointer is not None:
        assert pointer in [error["pointer"] for error in body["errors"]], body
    return body
