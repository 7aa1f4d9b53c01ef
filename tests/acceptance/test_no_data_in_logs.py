"""Nothing of what clients send, models answer or keys are is in any service's log."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.cli.embedded.ports import choose_port
from tests.acceptance.model_work.test_model_work import OUTPUT, llm_plan
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import SECRET_KEY, Stack

MARK = "MARKED-{}-9f3c"
WORKED = {  # by role, an event without which it had nothing to log
    "api": "request", "planner": "planned", "worker": "worker_started",
    "collector": "delivery_accepted", "notifier": "webhook_sent",
}  # fmt: skip
FAULTS = ("FAULT:400", "FAULT:not_json", "FAULT:schema", "FAULT:500*1", "FAULT:refusal")


def mark(what: str) -> str:
    return MARK.format(what)


def tickets() -> dict[str, Any]:
    rows = [
        {"id": f"{mark('key')}-{number}", "text": f"{mark('row')} MARK-0001 {fault}"}
        for number, fault in enumerate(("",) * 10 + FAULTS)
    ]
    return {"tickets": {"rows": rows, "key": "id"}}


def jobs(stack: Stack) -> None:
    """Run jobs that succeed, fail, are planned, refused and streamed."""
    template = {"instructions": f"Label {mark('prompt')}.", "input": "{{ text }}"}
    plan = {**llm_plan(template=template, output=OUTPUT), "brief": mark("brief")}
    job_id = stack.submit({"plan": plan, "inputs": tickets(), "labels": {"who": mark("label")}})
    planned = stack.submit({"goal": f"Label {mark('goal')}", "inputs": tickets()})
    stack.wait(job_id)
    eventually(
        lambda: stack.get(f"/v1/jobs/{planned}").json["status"] not in ("queued", "planning"),
        within=30,
    )
    stack.post(f"/v1/jobs/{planned}/cancel")
    broken = {**plan, "stages": [{**plan["stages"][0], "over": mark("table")}]}
    assert stack.post("/v1/jobs", {"plan": broken}).status == 422
    labels = [row["label"] for row in stack.results(job_id)]
    assert all("MARK-0001" in label for label in labels)  # so answers carry what is looked for
    assert labels
    stack.get(f"/v1/jobs/{job_id}/subtasks?outcome=failed")


def requests(stack: Stack) -> None:
    """Send data in every place a request has for it."""
    assert stack.post("/v1/jobs", {mark("field"): 1}).status == 422
    assert stack.request("POST", "/v1/jobs", f'{{"goal": "{mark("json")}'.encode()).status == 400
    assert stack.get(f"/v1/jobs?q={mark('search')}&label.a={mark('label')}").status == 200
    assert stack.get(f"/v1/jobs/{mark('path')}").status == 404
    assert stack.get(f"/{mark('nowhere')}/{mark('path')}").status == 404
    csv = f"a,b\n{mark('cell')},1\n".encode()
    sent = {"Content-Type": "text/csv"}
    assert stack.request("POST", f"/v1/tables?name={mark('file')}", csv, sent).status == 201
    binary = b"\x7fELF" + mark("elf").encode() + b"\0" * 600
    assert stack.request("POST", "/v1/tables?name=a.csv", binary, sent).status == 422
    stream = {"stream": True, "columns": {"id": "string", "text": "string"}, "key": "id"}
    plan = {**llm_plan(), "stages": [{**llm_plan()["stages"][0], "over": "notes"}]}
    job_id = stack.submit({"plan": plan, "inputs": {"notes": stream}})
    record = {"id": mark("record"), "text": mark("row")}
    assert stack.post(f"/v1/jobs/{job_id}/records", [record]).status == 202
    assert stack.get(f"/v1/jobs/{job_id}/records/{mark('record')}").status == 200
    stack.post(f"/v1/jobs/{job_id}/records/end")
    stack.wait(job_id)
    assert stack.request(
        "GET", "/v1/jobs", headers={"Authorization": f"Bearer apwa_{mark('wrong'):x<43}"}
    ).status == 401  # fmt: skip


def hooks(stack: Stack) -> None:
    """Tell a receiver that is not there; take in one post that is genuine and one that is not."""
    url = f"http://127.0.0.1:{choose_port(None)}/{mark('hook')}"
    made = stack.post("/v1/webhook-endpoints", {"url": url})
    assert made.status == 201, made.body
    told = stack.post(f"/v1/webhook-endpoints/{made.json['id']}/test")
    assert told.status == 202
    created = stack.post("/v1/triggers", {
        "name": mark("trigger"), "scheme": "token", "options": {"header": "X-Sender"},
        "secret": mark("shared"), "job": {"plan": llm_plan()},
        "mapping": {"inputs": {"tickets": {"rows": "/rows"}}},
    })  # fmt: skip
    assert created.status == 201, created.body
    trigger = created.json
    post = {"rows": [{"text": mark("posted")}]}
    path = trigger["links"]["hook"]
    assert stack.post(path, post, **{"X-Sender": mark("guess")}).status == 401
    assert stack.post(path, post, **{"X-Sender": mark("shared")}).status == 202
    listed = f"{trigger['links']['deliveries']}?status=accepted"
    [accepted] = eventually(lambda: stack.get(listed).json["items"], within=20)
    stack.wait(accepted["job"])
    delivery = f"/v1/deliveries/{told.json['id']}"
    eventually(lambda: stack.get(delivery).json["status"] == "failed", within=20)


def test_no_secret_prompt_answer_or_row_is_in_any_log(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with FakeModel(tmp_path, keep_requests=True) as model:
        stack = make_stack(
            OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY=f"sk-{mark('model')}",
            APWA_MODEL="fake", APWA_RETRIES="1", APWA_METRICS_TOKEN=mark("metrics"),
            APWA_WEBHOOK_LOOPBACK="true", APWA_WEBHOOK_RETRIES_S="0", APWA_NOTIFIER_POLL_S="0.2",
        ).start_all(workers=1)  # fmt: skip
        made = stack.post("/v1/api-keys", {"name": mark("name"), "role": "viewer"}).json
        rotated = stack.post(f"/v1/api-keys/{made['id']}/rotate").json
        jobs(stack)
        requests(stack)
        hooks(stack)
        asked = str([call.request for call in model.calls()])
        logs = {role: stack.logs(role) for role in WORKED}
    for what in ("prompt", "brief", "row", "goal", "posted"):
        assert mark(what) in asked
    assert '"route": "/v1/jobs/<job_id>"' in logs["api"]
    for role, event in WORKED.items():
        assert f'"event": "{event}"' in logs[role], role
    secrets = (made["secret"], rotated["secret"], stack.key, SECRET_KEY)
    for role, text in logs.items():
        found = set(re.findall(r"MARKED-[a-z]+-9f3c|MARK-0001", text))
        assert found == set(), role
        for secret in secrets:
            assert secret not in text, role
        assert stack.database_url not in text
        assert stack.valkey.url() not in text
