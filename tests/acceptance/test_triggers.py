"""Senders post, jobs come of it: once each, with their source, whoever dies meanwhile."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from services.cli.embedded.ports import choose_port
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.hooks import SECRET, github_issue, posted
from tests.integration.api_door import REDACT_PLAN
from tests.receiver import Receiver, receiving
from tests.stack import ROOT, Answer, Stack

EXAMPLES = ROOT / "examples"
PLAN = {**REDACT_PLAN, "stages": [{**REDACT_PLAN["stages"][0], "over": "issue"}]}
TRIGGER: dict[str, Any] = {
    "name": "issues",
    "scheme": "github",
    "secret": SECRET,
    "job": {"plan": PLAN},
    "mapping": {"inputs": {"issue": {"object": {"n": "/issue/number", "text": "/issue/body"}}}},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("model")) as made:
        yield made


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], model: FakeModel) -> Stack:
    return make_module_stack(
        OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-test", APWA_MODEL="fake",
        APWA_WEBHOOK_LOOPBACK="true", APWA_NOTIFIER_POLL_S="0.2", APWA_STREAM_MAX_AGE_S="0.1",
    ).start_all(workers=1)  # fmt: skip


@pytest.fixture
def github() -> Iterator[Receiver]:
    """What stands for GitHub: it takes comments."""
    with receiving() as made:
        yield made


def apwa(stack: Stack, *words: str) -> dict[str, Any]:
    """Run a command against the stack and return the JSON it prints."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("APWA_")
    } | {"APWA_API_URL": f"http://127.0.0.1:{stack.api_port}", "APWA_API_KEY": stack.key}
    ended = subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


def create(stack: Stack, **changes: Any) -> dict[str, Any]:
    made = stack.post("/v1/triggers", {**TRIGGER, **changes})
    assert made.status == 201, made.body
    return dict(made.json)


def post(stack: Stack, trigger: dict[str, Any], delivery: tuple[bytes, dict[str, str]]) -> Answer:
    body, headers = delivery
    return stack.request("POST", trigger["links"]["hook"], body, {**headers, "Authorization": ""})


def deliveries(stack: Stack, trigger: dict[str, Any], status: str) -> list[dict[str, Any]]:
    return list(stack.get(f"{trigger['links']['deliveries']}?status={status}").json["items"])


@contextmanager
def example_receiver(stack: Stack, github: Receiver) -> Iterator[int]:
    """Run the example's receiver as a process of its own; yields its port."""
    port = choose_port(None)
    secret = stack.get("/v1/webhook-secret").json["secret"]
    told = {
        "PORT": str(port), "SECRET": secret, "API": f"http://127.0.0.1:{stack.api_port}",
        "KEY": stack.key, "GITHUB": github.url(""), "TOKEN": "a token of nobody",
    }  # fmt: skip
    command = [sys.executable, str(EXAMPLES / "github_issues" / "receiver.py")]
    process = subprocess.Popen(command, env={**os.environ, **told}, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.kill()
        process.wait(10)


def test_a_github_issue_is_triaged_by_a_workflow_and_commented_on(
    stack: Stack, github: Receiver, tmp_path: Path
) -> None:
    folder, secret = EXAMPLES / "github_issues", tmp_path / "secret"
    secret.write_text(SECRET)
    with example_receiver(stack, github) as port:
        # given the workflow and the trigger of the example
        apwa(stack, "workflows", "create", "triage", "--plan", str(folder / "workflow.json"),
             "--json")  # fmt: skip
        document = json.loads((folder / "trigger.json").read_text())
        document["job"]["webhook"]["url"] = f"http://127.0.0.1:{port}/"
        (tmp_path / "trigger.json").write_text(json.dumps(document))
        trigger = apwa(stack, "triggers", "create", str(tmp_path / "trigger.json"),
                       "--secret-file", str(secret), "--json")  # fmt: skip

        # when the recorded event is signed and posted
        told = apwa(stack, "triggers", "send", trigger["id"], "--secret-file", str(secret),
                    "--file", str(folder / "issue_opened.json"), "--json")  # fmt: skip
        assert told["status"] == "pending"

        # then a job comes of it that says so, and its result becomes a comment on the issue
        path = f"{trigger['links']['deliveries']}/{told['id']}"
        job_id = eventually(lambda: stack.get(path).json["job"])
        job = stack.wait(job_id)
        assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
        assert job["source"] == {"trigger": trigger["id"], "delivery": told["id"]}
        assert job["workflow"]["name"] == "triage"
        where = "/repos/ann/kettle/issues/7/comments"
        [comment] = eventually(lambda: github.got(where), within=15)
        [row] = stack.results(job_id)
        assert comment.json == {"body": f"**{row['kind']}**: {row['advice']}"}
        assert comment.headers["authorization"] == "Bearer a token of nobody"
    prompt = stack.get(f"/v1/jobs/{job_id}/subtasks/triage/0").json["prompt"]["user"]
    assert "It whistles before the water boils" in prompt
    assert "ann@example.com" not in prompt


def test_a_stripe_event_feeds_a_stream_once(stack: Stack, tmp_path: Path) -> None:
    # given the stream job and the trigger of the example
    folder, secret = EXAMPLES / "stripe_disputes", tmp_path / "secret"
    secret.write_text(SECRET)
    job_id = stack.submit(json.loads((folder / "job.json").read_text()))
    document = json.loads((folder / "trigger.json").read_text())
    document["records"]["job"] = job_id
    trigger = stack.post("/v1/triggers", {**document, "secret": SECRET}).json

    # when one event is sent twice, and others once
    sent = apwa(stack, "triggers", "send", trigger["id"], "--secret-file", str(secret),
                "--file", str(folder / "dispute_created.json"), "--json")  # fmt: skip
    event = json.loads((folder / "dispute_created.json").read_text())
    again = post(stack, trigger, posted("stripe", event))
    assert (again.status, again.json["id"]) == (200, sent["id"])
    for number in range(5):
        event["id"], event["data"]["object"]["id"] = f"evt_{number}", f"dp_{number}"
        assert post(stack, trigger, posted("stripe", event)).status == 202
    eventually(lambda: len(deliveries(stack, trigger, "accepted")) == 6)

    # then each is one record, readable while the job runs, and in its result
    path = f"/v1/jobs/{job_id}/records/dp_1QkMadeUp0000001"
    record = eventually(lambda: (one := stack.get(path).json).get("outcome") and one)
    assert "buyer@example.com" not in record["output"]["said"]
    stack.post(f"/v1/jobs/{job_id}/records/end")
    assert stack.wait(job_id)["status"] == "succeeded"
    assert stack.results(job_id) == [
        {"reason": "product_not_received", "disputes": 6, "amount": 6 * 2300}
    ]


def test_ten_times_the_same_delivery_is_one_job(stack: Stack) -> None:
    trigger = create(stack)
    delivery = posted("github", github_issue())
    with ThreadPoolExecutor(10) as many:
        answers = list(many.map(lambda _: post(stack, trigger, delivery), range(10)))
    assert Counter(one.status for one in answers) == {202: 1, 200: 9}
    assert len({one.json["id"] for one in answers}) == 1
    [accepted] = eventually(lambda: deliveries(stack, trigger, "accepted"))
    assert stack.wait(accepted["job"])["status"] == "succeeded"
    assert jobs_of(stack, trigger) == [(accepted["id"], 1)]


def test_a_collector_killed_between_storing_and_the_job_leaves_one_job_each(stack: Stack) -> None:
    # given deliveries that are stored while nobody works them off
    stack.kill("collector")
    trigger = create(stack)
    ids = set()
    for _ in range(10):
        answer = post(stack, trigger, posted("github", github_issue()))
        assert answer.status == 202
        ids.add(answer.json["id"])
    assert jobs_of(stack, trigger) == []

    # when a collector is killed while it holds one, and two follow
    stack.start("collector")
    held = "SELECT count(*) FROM trigger_deliveries WHERE status = 'pending' AND claim IS NOT NULL"
    eventually(
        lambda: len(jobs_of(stack, trigger)) > 1 and stack.scalar(held), within=30, every=0.002
    )
    stack.kill("collector")
    assert deliveries(stack, trigger, "pending")
    stack.start("collector", 2)

    # then every delivery made one job
    eventually(lambda: len(deliveries(stack, trigger, "accepted")) == 10, within=30)
    assert dict(jobs_of(stack, trigger)) == dict.fromkeys(ids, 1)


def jobs_of(stack: Stack, trigger: dict[str, Any]) -> list[tuple[str, int]]:
    """Return how many jobs each delivery of the trigger made."""
    query = "SELECT delivery_id, count(*) FROM jobs WHERE trigger_id = %s GROUP BY 1"
    return [(row[0], row[1]) for row in stack.rows(query, trigger["id"])]
