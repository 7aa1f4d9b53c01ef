"""Webhooks leave by real processes: to receivers that fail, hang, redirect, or are gone."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from standardwebhooks import Webhook

from tests.eventually import eventually
from tests.receiver import Got, Receiver, receiving
from tests.stack import Stack

ROWS = 40
PLAN: dict[str, Any] = {
    "version": 1,
    "stages": [
        {
            "name": "clean", "over": "tickets", "unit": {"rows": 1}, "capability": "redact",
            "params": {"field": "text"},
        },
    ],
    "result": {"table": "clean"},
}  # fmt: skip
TOLD = {"job.planned", "job.started", "results.ready", "job.finished"}


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack]) -> Stack:
    return make_module_stack(
        APWA_WEBHOOK_LOOPBACK="true", APWA_WEBHOOK_RETRIES_S="0,0.2,0.2,0.2",
        APWA_WEBHOOK_BATCH_S="0.3", APWA_WEBHOOK_WALL_S="2", APWA_NOTIFIER_POLL_S="0.2",
        APWA_SHARD_SIZE="10",
    ).start_all(workers=1)  # fmt: skip


def endpoint(stack: Stack, url: str, *events: str) -> dict[str, Any]:
    body = {"url": url, **({"events": list(events)} if events else {})}
    made = stack.post("/v1/webhook-endpoints", body)
    assert made.status == 201, made.body
    return dict(made.json)


def job(mark: str = "mail", **more: Any) -> dict[str, Any]:
    rows = [{"id": n, "text": f"{mark} a{n}@example.com"} for n in range(ROWS)]
    return {"plan": PLAN, "inputs": {"tickets": {"rows": rows, "key": "id"}}, **more}


def of(receiver: Receiver, path: str, job_id: str) -> list[Got]:
    return [one for one in receiver.got(path) if one.json["data"]["job"]["id"] == job_id]


def settled(stack: Stack, endpoint_id: str) -> list[dict[str, Any]]:
    items = stack.get(f"/v1/deliveries?endpoint={endpoint_id}").json["items"]
    return [] if any(one["status"] == "pending" for one in items) else list(items)


def test_a_receiver_that_fails_three_times_gets_each_event_under_one_id_and_signed(
    stack: Stack, receiver: Receiver
) -> None:
    # given a receiver whose first answers are errors
    receiver.fails["/flaky"] = [500, 503, 404]
    made = endpoint(stack, receiver.url("/flaky"))

    # when a job runs
    job_id = stack.submit(job())
    assert stack.wait(job_id)["status"] == "succeeded"
    eventually(lambda: {one.json["type"] for one in of(receiver, "/flaky", job_id)} >= TOLD)
    log = eventually(lambda: settled(stack, made["id"]))

    # then every event came to be taken once, whoever looks verifies it, and each id is one event
    got = of(receiver, "/flaky", job_id)
    for one in got:
        Webhook(made["secret"]).verify(one.body, one.headers)
    events = {one.id: one.json["type"] for one in got}
    assert Counter(events.values()) - Counter({"results.ready": 100}) == Counter(
        TOLD - {"results.ready"}
    )
    assert len(got) == len(events) + 3, "three tries failed"
    assert all(len({one.body for one in got if one.id == id_}) == 1 for id_ in events)
    assert {one["status"] for one in log} == {"succeeded"}
    assert sum(one["attempts"] for one in log) == len(got)

    # and the batches lead to every row once
    units, rows = 0, []
    for one in {one.id: one for one in got if one.json["type"] == "results.ready"}.values():
        data = one.json["data"]
        units += data["units"]
        page = stack.get(f"{data['path']}&limit=1000").json["items"]
        assert len(page) >= data["units"]
        rows += [row["id"] for row in page[: data["units"]]]
    assert units == ROWS
    assert sorted(rows) == list(range(ROWS))
    finished = next(one for one in got if one.json["type"] == "job.finished").json["data"]
    assert (finished["status"], finished["job"]["coverage"]["succeeded"]) == ("succeeded", ROWS)


def test_a_notifier_killed_while_it_sends_sends_again_under_the_same_id(
    stack: Stack, receiver: Receiver
) -> None:
    receiver.hanging.add("/hangs")
    made = endpoint(stack, receiver.url("/hangs"), "job.finished")
    ping = stack.post(f"/v1/webhook-endpoints/{made['id']}/test")
    assert ping.status == 202

    # when it is killed between sending and writing it down
    eventually(lambda: receiver.got("/hangs"))
    stack.kill("notifier")
    receiver.hanging.discard("/hangs")
    receiver.let_go.set()
    stack.start("notifier")

    # then the next one sends it again once the lease is over
    eventually(lambda: settled(stack, made["id"]), within=20)
    first, second = receiver.got("/hangs")[:2]
    assert (first.id, first.body) == (second.id, second.body)
    assert first.id == ping.json["webhook_id"]
    receiver.let_go.clear()


def test_receivers_that_hang_or_redirect_keep_nothing_from_the_others(
    stack: Stack, receiver: Receiver
) -> None:
    # given one that never answers, with a backlog, one that sends us elsewhere and one that is gone
    receiver.hanging.add("/slow")
    receiver.fails |= {"/moved": [302] * 10, "/gone": [410]}
    receiver.headers["/moved"] = {"Location": receiver.url("/elsewhere")}
    slow, moved, gone, good = (
        endpoint(stack, receiver.url(path), "job.finished")
        for path in ("/slow", "/moved", "/gone", "/good")
    )
    for one in [slow] * 20 + [moved, gone]:
        assert stack.post(f"/v1/webhook-endpoints/{one['id']}/test").status == 202
    eventually(lambda: receiver.got("/slow"))

    # when one more is due for the good one
    assert stack.post(f"/v1/webhook-endpoints/{good['id']}/test").status == 202
    eventually(lambda: settled(stack, good["id"]))

    # then it was taken while the slow one's still hung
    assert [one["status"] for one in settled(stack, good["id"])] == ["succeeded"]
    waiting = f"/v1/deliveries?endpoint={slow['id']}&status=pending"
    assert stack.get(waiting).json["items"] != []
    receiver.let_go.set()
    [failed] = eventually(lambda: settled(stack, moved["id"]))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "redirect")
    assert receiver.got("/elsewhere") == []
    eventually(lambda: settled(stack, gone["id"]))
    shown = stack.get(f"/v1/webhook-endpoints/{gone['id']}").json
    assert (shown["status"], shown["status_reason"]["kind"]) == ("disabled", "gone")
    for one in (slow, moved, gone, good):
        assert stack.request("DELETE", f"/v1/webhook-endpoints/{one['id']}").status == 204


def test_a_jobs_own_webhook_passes_to_a_fork_and_is_erased_with_the_job(
    stack: Stack, receiver: Receiver
) -> None:
    # given a job with its own webhook, and a word in all it comes with
    mark = "zanzibar"
    hook = {"url": receiver.url(f"/own?{mark}"), "events": ["job.finished", "results.ready"]}
    job_id = stack.submit(job(mark, webhook=hook, labels={"place": mark}))
    assert stack.wait(job_id)["status"] == "succeeded"
    path = f"/own?{mark}"
    got = eventually(
        lambda: [one for one in receiver.got(path) if one.json["type"] == "job.finished"]
    )
    secret = stack.get("/v1/webhook-secret").json["secret"]
    Webhook(secret).verify(got[0].body, got[0].headers)
    assert got[0].json["data"]["job"]["labels"] == {"place": mark}
    endpoint_id = stack.get(f"/v1/jobs/{job_id}").json["webhook"]["endpoint"]
    eventually(lambda: settled(stack, endpoint_id))
    assert mark.encode() in dump(stack)

    # given a job made of it, which tells of itself to the same receiver
    fork = stack.post(f"/v1/jobs/{job_id}/fork", {"policy": {"min_success": 0.5}}).json["id"]
    assert stack.wait(fork)["status"] == "succeeded"
    eventually(lambda: of(receiver, path, fork))
    own = stack.get(f"/v1/jobs/{fork}").json["webhook"]["endpoint"]
    eventually(lambda: settled(stack, own))

    # when both are deleted
    for one in (fork, job_id):
        assert stack.request("DELETE", f"/v1/jobs/{one}").status == 202

    # then the log says that it was told, and nothing of what
    assert mark.encode() not in dump(stack)
    log = stack.get(f"/v1/deliveries?job={job_id}").json["items"]
    assert {one["status"] for one in log} == {"succeeded"}
    assert stack.get(f"/v1/deliveries/{log[0]['id']}").json["body"] is None
    assert stack.get(f"/v1/webhook-endpoints/{endpoint_id}").status == 404


def dump(stack: Stack) -> bytes:
    """Return what the tables of webhooks hold, and the job's row and events, as text."""
    told = b""
    with psycopg.connect(stack.database_url) as connection:
        for name in ("webhook_endpoints", "deliveries", "delivery_attempts", "jobs", "events",
                     "idempotency_keys", "audit_log"):  # fmt: skip
            with connection.cursor().copy(f'COPY "{name}" TO STDOUT') as copy:
                told += b"".join(bytes(part) for part in copy)
    return told
