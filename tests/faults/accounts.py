"""What must hold after every fault: each unit once, and every count the same."""

from collections import Counter
from typing import Any

from tests.stack import Stack


def moody_plan(params: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """One stage in which each row does as its column `do` says.

    `params` may name a `journal` (units that ran, a line each) and a `gate` (a file that rows which
    `wait` wait for).
    """
    stage = {"name": "work", "over": "people", "unit": {"rows": 1}, "capability": "moody"}
    stages = [{**stage, "params": params or {}, **more}]
    return {"version": 1, "stages": stages, "result": {"table": "work"}}


def people(count: int, do: str = "nap", nap_s: float = 0.0) -> list[dict[str, Any]]:
    return [{"id": number, "do": do, "nap_s": nap_s} for number in range(count)]


def job_of(rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The body of a job over `rows`; `plan` unless given is a plain moody one."""
    return {"plan": moody_plan(), "inputs": {"people": {"rows": rows, "key": "id"}}, **more}


def settled(stack: Stack, job_id: str) -> int:
    return int(
        stack.scalar(
            "SELECT coalesce(sum(succeeded + failed), 0) FROM shards WHERE job_id = %s", job_id
        )
    )


def assert_each_unit_once(stack: Stack, job: dict[str, Any], units: int) -> None:
    """The job succeeded, each row's key is in the result once, and all ledgers agree."""
    assert job["status"] == "succeeded", job
    assert job["progress"]["units"] == units == job["progress"]["succeeded"]
    assert Counter(row["id"] for row in stack.results(job["id"])) == Counter(range(units))
    assert_ledger_adds_up(stack, job["id"])


def assert_ledger_adds_up(stack: Stack, job_id: str) -> None:
    """Stage ledger == recount of results == sum of shards; shards part the units of the stage."""
    of_stages = stack.rows(
        """SELECT t.name, t.unit_count, t.succeeded, t.failed, t.skipped, t.cancelled,
            (SELECT count(*) FROM results r WHERE r.stage_id = t.id AND r.replica = 0
              AND r.outcome = 'succeeded'),
            (SELECT count(*) FROM results r WHERE r.stage_id = t.id AND r.replica = 0
              AND r.outcome <> 'succeeded'),
            s.units, s.succeeded, s.failed
          FROM stages t, LATERAL (SELECT sum(unit_count) AS units, sum(succeeded) AS succeeded,
            sum(failed) AS failed FROM shards WHERE stage_id = t.id) s
          WHERE t.job_id = %s""",
        job_id,
    )
    assert of_stages
    for name, units, good, bad, skipped, cancelled, good_again, bad_again, *shards in of_stages:
        assert units == good + bad + skipped + cancelled, name
        assert (good, bad) == (good_again, bad_again), name
        assert shards == [units, good, bad], name
    twice = stack.rows(
        """SELECT stage_id, unit FROM results r JOIN stages t ON t.id = r.stage_id
          WHERE t.job_id = %s AND replica = 0 GROUP BY 1, 2 HAVING count(*) > 1""",
        job_id,
    )
    assert twice == []
