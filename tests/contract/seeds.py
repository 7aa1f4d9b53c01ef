"""Objects for every operation with an id in its path, so that it is not all 404."""

import json
from dataclasses import dataclass, field
from typing import Any

from services.api.operations.examples import EXAMPLES
from tests.eventually import eventually
from tests.stack import Answer, Stack

SPARES = 3  # of what an operation uses up
HOOK_HEADER, HOOK_SECRET = "X-Sender", "what only the sender knows"
MODEL = "fake"
_PATIENCE_S = 60.0
_BOUNDARY = "a-line-between"
_STREAM = {"tickets": {"stream": True, "columns": {"id": "integer", "text": "string"}, "key": "id"}}
_PLAN = EXAMPLES["put_plan"]["plan"]
_REQUEST = {
    "custom_id": "a", "method": "POST", "url": "/v1/chat/completions",
    "body": {"model": MODEL, "messages": [{"role": "user", "content": "Say something."}]},
}  # fmt: skip


@dataclass
class Seeds:
    """What the operations get: ids by operation and parameter, headers, members of bodies."""

    paths: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it as the hooks of the run read it."""
        return json.dumps(vars(self))


def plant(stack: Stack) -> Seeds:
    """Make the objects on a running stack."""
    seeds = Seeds()
    for part in (_jobs, _streams, _tables, _workflows, _triggers, _webhooks, _batches, _accounts):
        part(stack, seeds)
    return seeds


def _jobs(stack: Stack, seeds: Seeds) -> None:
    good, bad = stack.submit(EXAMPLES["estimate_job"]), stack.submit(_failing_job())
    gone = [stack.submit(EXAMPLES["estimate_job"]) for _ in range(SPARES)]
    for job in (good, bad, *gone):
        stack.wait(job)
    for name in ("get_job", "list_stages", "list_subtasks", "list_events", "create_view_token",
                 "get_bundle", "get_results", "fork_job", "get_plan"):  # fmt: skip
        seeds.paths[name] = {"job_id": [good]}
    stage = stack.get(f"/v1/jobs/{good}/stages").json["items"][0]["name"]
    seeds.paths["get_subtask"] = {"job_id": [good], "stage": [stage], "unit": ["0"]}
    seeds.paths["list_failures"] = seeds.paths["retry_job"] = {"job_id": [bad]}
    seeds.paths["delete_job"] = {"job_id": gone}
    for name, count in (("put_plan", 1), ("approve_plan", SPARES), ("reject_plan", SPARES)):
        seeds.paths[name] = {"job_id": [_awaiting(stack) for _ in range(count)]}
        seeds.headers[name] = {"If-Match": "*"}


def _failing_job() -> dict[str, Any]:
    """Return a job whose one unit may not fetch what it shall."""
    stage = {
        "name": "pages", "over": "links", "unit": {"rows": 1}, "capability": "fetch",
        "params": {"field": "url"},
    }  # fmt: skip
    plan = {"version": 1, "stages": [stage], "result": {"table": "pages"}}
    return {"plan": plan, "inputs": {"links": {"rows": [{"url": "http://127.0.0.1:9/"}]}}}


def _awaiting(stack: Stack) -> str:
    job = stack.submit({**EXAMPLES["estimate_job"], "approval": "plan"})
    eventually(lambda: _status(stack, job) == "awaiting_approval", within=_PATIENCE_S)
    return job


def _status(stack: Stack, job: str) -> str:
    return str(stack.get(f"/v1/jobs/{job}").json["status"])


def _streams(stack: Stack, seeds: Seeds) -> None:
    """Streams stay open: they are the jobs that wait until something is done to them."""
    for name in ("edit_job", "pause_job", "append_records", "get_stream"):
        seeds.paths[name] = {"job_id": [_stream(stack)]}
    for name in ("end_records", "cancel_job", "finalize_job", "resume_job"):
        seeds.paths[name] = {"job_id": [_stream(stack) for _ in range(SPARES)]}
    for job in seeds.paths["resume_job"]["job_id"]:
        _good(stack.post(f"/v1/jobs/{job}/pause"))
    seeds.headers["edit_job"] = {"If-Match": "*"}
    job = _stream(stack)
    _good(stack.post(f"/v1/jobs/{job}/records", EXAMPLES["append_records"]))
    seeds.paths["get_record"] = {"job_id": [job], "key": ["1"]}


def _stream(stack: Stack) -> str:
    job = stack.submit({"plan": _PLAN, "inputs": _STREAM})
    eventually(lambda: _status(stack, job) == "running", within=_PATIENCE_S)
    return job


def _tables(stack: Stack, seeds: Seeds) -> None:
    kept, *gone = (
        _id(
            stack.request("POST", "/v1/tables", b"id,text\n1,hello\n", {"Content-Type": "text/csv"})
        )
        for _ in range(1 + SPARES)
    )
    seeds.paths["get_table"] = seeds.paths["get_rows"] = {"table_id": [kept]}
    seeds.paths["delete_table"] = {"table_id": gone}


def _workflows(stack: Stack, seeds: Seeds) -> None:
    gone = [f"gone-{number}" for number in range(SPARES)]
    for name in ("kept", *gone):
        _good(stack.post("/v1/workflows", {"name": name, "plan": _PLAN}))
    for operation in ("get_workflow", "list_workflow_versions", "run_workflow"):
        seeds.paths[operation] = {"name": ["kept"]}
    seeds.paths["delete_workflow"] = {"name": gone}


def _triggers(stack: Stack, seeds: Seeds) -> None:
    body = {
        **EXAMPLES["create_trigger"], "scheme": "token", "options": {"header": HOOK_HEADER},
        "secret": HOOK_SECRET, "when": [], "limits": {"jobs_per_hour": None, "usd_per_day": None},
    }  # fmt: skip
    kept, edited, *gone = (
        _id(stack.post("/v1/triggers", body)) for _ in range(2 + SPARES)
    )  # fmt: skip
    seeds.headers["receive_hook"] = {HOOK_HEADER: HOOK_SECRET}
    told = stack.post(f"/hooks/{kept}", EXAMPLES["receive_hook"], **seeds.headers["receive_hook"])
    delivery = _id(told)
    path = f"/v1/triggers/{kept}/deliveries/{delivery}"
    eventually(lambda: stack.get(path).json["status"] == "accepted", within=_PATIENCE_S)
    for name in ("get_trigger", "simulate_trigger", "list_trigger_deliveries", "receive_hook"):
        seeds.paths[name] = {"trigger_id": [kept]}
    for name in ("get_trigger_delivery", "replay_trigger_delivery"):
        seeds.paths[name] = {"trigger_id": [kept], "delivery_id": [delivery]}
    seeds.paths["edit_trigger"] = {"trigger_id": [edited]}
    seeds.paths["delete_trigger"] = {"trigger_id": gone}


def _webhooks(stack: Stack, seeds: Seeds) -> None:
    """Nothing sends here: no notifier runs."""

    def endpoint() -> str:
        return _id(stack.post("/v1/webhook-endpoints", EXAMPLES["create_webhook_endpoint"]))

    for name in ("get_webhook_endpoint", "edit_webhook_endpoint", "get_webhook_endpoint_secret",
                 "rotate_webhook_endpoint_secret", "test_webhook_endpoint",
                 "redeliver_range"):  # fmt: skip
        seeds.paths[name] = {"endpoint_id": [endpoint()]}
    seeds.paths["delete_webhook_endpoint"] = {"endpoint_id": [endpoint() for _ in range(SPARES)]}
    tested = endpoint()
    sent, *again = (
        _id(stack.post(f"/v1/webhook-endpoints/{tested}/test")) for _ in range(1 + SPARES)
    )
    stack.rows(
        "UPDATE deliveries SET status = 'failed', next_at = NULL, finished_at = clock_timestamp()"
        " WHERE endpoint_id = %s", tested,
    )  # fmt: skip
    seeds.paths["get_delivery"] = {"delivery_id": [sent]}
    seeds.paths["redeliver"] = {"delivery_id": again}


def _batches(stack: Stack, seeds: Seeds) -> None:
    kept, *gone = (_file(stack) for _ in range(1 + SPARES))
    for name in ("get_file", "get_file_content"):
        seeds.paths[name] = {"file_id": [kept]}
    seeds.paths["delete_file"] = {"file_id": gone}
    seeds.bodies["create_batch"] = {"input_file_id": kept}
    body = {**EXAMPLES["create_batch"], "input_file_id": kept}
    seeds.paths["get_batch"] = {"batch_id": [_id(stack.post("/openai/v1/batches", body))]}
    jobs = [_under_way(stack, body) for _ in range(SPARES)]
    seeds.paths["cancel_batch"] = {"batch_id": jobs}
    seeds.paths["get_openai_model"] = {"model": [MODEL]}


def _under_way(stack: Stack, body: dict[str, Any]) -> str:
    """Return a batch that stays under way, for its job is paused before it can end."""

    def paused() -> str:
        made = _good(stack.post("/openai/v1/batches", body)).json
        job = made["apwa"]["job"]
        return str(made["id"]) if stack.post(f"/v1/jobs/{job}/pause").status == 202 else ""

    return str(eventually(paused, within=_PATIENCE_S))


def _file(stack: Stack) -> str:
    body = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n'
        f"\r\n{json.dumps(_REQUEST)}\n\r\n--{_BOUNDARY}--\r\n"
    )
    kind = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    return _id(stack.request("POST", "/openai/v1/files", body.encode(), kind))


def _accounts(stack: Stack, seeds: Seeds) -> None:
    def key() -> str:
        return _id(stack.post("/v1/api-keys", EXAMPLES["create_api_key"]))

    seeds.paths["get_api_key"] = {"key_id": [key()]}
    seeds.paths["rotate_api_key"] = {"key_id": [key()]}
    seeds.paths["revoke_api_key"] = {"key_id": [key() for _ in range(SPARES)]}
    project = _id(stack.post("/v1/projects", {"name": "another"}))
    seeds.paths["get_project"] = seeds.paths["edit_project"] = {"project_id": [project]}


def _id(answer: Answer) -> str:
    return str(_good(answer).json["id"])


def _good(answer: Answer) -> Answer:
    assert answer.status < 300, answer.body.decode()
    return answer
