"""Acting on the outside: asked for first, and once for each idempotency key whatever dies."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.eventually import eventually
from tests.faults.accounts import assert_each_unit_once, people, settled
from tests.stack import Stack

UNITS = 120


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An outside service: it takes an order with a key once."""
    path = tmp_path / "orders.sqlite"
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE orders (key TEXT PRIMARY KEY, unit INTEGER)")
    return path


@pytest.mark.parametrize("capability", ["order", "order_on_loop"])
def test_each_unit_acts_once_though_its_workers_are_killed(
    stack: Stack, store: Path, capability: str
) -> None:
    # given an approved plan whose capability acts on the outside
    allow(stack, True)
    job_id = approved(stack, capability, store)

    # when workers are killed within it, and the job is paused and resumed
    for share in (0.2, 0.5):
        eventually(lambda share=share: settled(stack, job_id) > share * UNITS, within=60)
        eventually(lambda: open_units(stack, job_id) > 0, within=30, every=0.01)
        stack.kill("worker")
        stack.start("worker")
    assert stack.post(f"/v1/jobs/{job_id}/pause").status == 202
    assert stack.post(f"/v1/jobs/{job_id}/resume").status == 202
    assert settled(stack, job_id) < UNITS, "the job was over before the faults: make it longer"
    job = stack.wait(job_id, within=90)

    # then the outside has one order of each unit, though some were tried more often
    assert_each_unit_once(stack, job, UNITS)
    orders = orders_in(store)
    assert Counter(unit for _, unit in orders) == Counter(range(UNITS))
    assert {row["order"] for row in stack.results(job_id)} == {key for key, _ in orders}
    tried = Counter(int(line) for line in journal_of(store).read_text().split())
    assert set(tried) == set(range(UNITS))
    retried = UNITS // 3  # those whose first answer was lost
    assert sum(tried.values()) > UNITS + retried, "no unit was run again after a kill"


def test_without_the_projects_permission_nothing_acts(stack: Stack, store: Path) -> None:
    allow(stack, False)
    answer = stack.post("/v1/jobs", body("order", store))
    assert (answer.status, answer.json["code"]) == (422, "plan_invalid")
    assert {one["code"] for one in answer.json["errors"]} == {"external_not_permitted"}
    assert orders_in(store) == []


@pytest.mark.parametrize("more", [{}, {"pilot": {"units": 2, "auto_approve": {"max_usd": 1}}}])
def test_a_plan_that_acts_waits_for_a_yes_even_if_the_job_asks_for_none(
    stack: Stack, store: Path, more: dict[str, Any]
) -> None:
    allow(stack, True)
    job_id = stack.submit(body("order", store, count=5) | more)
    awaiting(stack, job_id)
    assert orders_in(store) == []
    assert (
        stack.post(f"/v1/jobs/{job_id}/plan/reject", {"reason": "No orders today."}).status == 202
    )
    assert stack.wait(job_id)["error"]["code"] == "plan_rejected"
    assert orders_in(store) == []


def body(capability: str, store: Path, count: int = UNITS) -> dict[str, Any]:
    params = {"store": str(store), "journal": str(journal_of(store)), "nap_s": 0.02}
    stage = {
        "name": "orders", "over": "people", "unit": {"rows": 1}, "capability": capability,
        "params": params,
    }  # fmt: skip
    return {
        "plan": {"version": 1, "stages": [stage], "result": {"table": "orders"}},
        "inputs": {"people": {"rows": people(count), "key": "id"}},
    }


def approved(stack: Stack, capability: str, store: Path) -> str:
    """Submit the job and say yes to its plan."""
    job_id = stack.submit(body(capability, store))
    awaiting(stack, job_id)
    tag = stack.get(f"/v1/jobs/{job_id}/plan").headers["ETag"]
    said = stack.request("POST", f"/v1/jobs/{job_id}/plan/approve", headers={"If-Match": tag})
    assert said.status == 202, said.body
    return job_id


def awaiting(stack: Stack, job_id: str) -> None:
    eventually(
        lambda: stack.get(f"/v1/jobs/{job_id}").json["status"] == "awaiting_approval", within=30
    )


def allow(stack: Stack, permitted: bool) -> None:
    stack.rows("UPDATE projects SET allow_external = %s", permitted)


def orders_in(store: Path) -> list[tuple[str, int]]:
    with closing(sqlite3.connect(store)) as opened:
        return opened.execute("SELECT key, unit FROM orders").fetchall()


def journal_of(store: Path) -> Path:
    return store.with_name("tries")


def open_units(stack: Stack, job_id: str) -> int:
    """Return how many units the first worker has and did not settle."""
    return int(
        stack.scalar(
            """SELECT coalesce(sum(s.unit_count - s.succeeded - s.failed), 0)
              FROM shards s JOIN workers w ON w.id = s.worker_id
              WHERE s.job_id = %s AND w.pid = %s AND s.status = 'running'""",
            job_id, stack.processes["worker"][0].pid,
        )
    )  # fmt: skip
