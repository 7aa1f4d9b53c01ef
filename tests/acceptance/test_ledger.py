"""A stage does not close while its ledger and a recount of its results differ."""

from collections.abc import Callable

from tests.eventually import eventually
from tests.stack import Stack

ROWS = [{"id": number, "text": f"word{number}"} for number in range(6)]
PLAN = {
    "version": 1,
    "stages": [
        {
            "name": "words",
            "over": "notes",
            "unit": {"rows": 1},
            "capability": "extract",
            "params": {"field": "text", "patterns": {"word": "\\w+"}},
        }
    ],
    "result": {"table": "words"},
}


def test_a_job_with_a_missing_or_a_forged_result_is_not_closed_until_it_is_mended(
    make_stack: Callable[..., Stack],
) -> None:
    # given two jobs whose units are all settled, and no collector yet
    stack = make_stack(APWA_SHARD_SIZE="2")
    for role in ("api", "planner", "worker"):
        stack.start(role)
    eventually(stack.is_ready, within=90)
    eventually(lambda: stack.scalar("SELECT count(*) FROM workers") == 1, within=90)
    body = {"plan": PLAN, "inputs": {"notes": {"rows": ROWS, "key": "id"}}}
    robbed, forged = stack.submit(body), stack.submit(body)
    for job_id in (robbed, forged):
        eventually(lambda job_id=job_id: all_done(stack, job_id), within=30)

    # when a row of the one is deleted and a row of the other invented, and a collector comes
    one, other = stage_of(stack, robbed), stage_of(stack, forged)
    stack.rows("CREATE TABLE kept AS SELECT * FROM results WHERE unit = 2 AND stage_id = %s", one)
    stack.rows("DELETE FROM results WHERE unit = 2 AND stage_id = %s", one)
    stack.rows(
        "INSERT INTO results (stage_id, unit, shard_id, outcome, output, attempt) SELECT "
        "stage_id, 99, shard_id, outcome, output, 1 FROM results WHERE unit = 2 AND stage_id = %s",
        other,
    )
    stack.start("collector")

    # then neither closes, and each says why
    for job_id, recount in ((robbed, "5 and 0"), (forged, "7 and 0")):
        reason = eventually(lambda job_id=job_id: mismatch(stack, job_id), within=30)
        assert reason["stage"] == "words"
        assert f"says 6 succeeded, 0 failed; a recount finds {recount}" in reason["detail"]
    assert stack.logs("collector").count('"event": "ledger_mismatch"') >= 2
    closed = stack.scalar("SELECT count(*) FROM stages WHERE status IN ('closed', 'abandoned')")
    assert closed == 0

    # and when the results are mended, both succeed with whole tables
    stack.rows("INSERT INTO results SELECT * FROM kept")
    stack.rows("DELETE FROM results WHERE unit = 99 AND stage_id = %s", other)
    for job_id in (robbed, forged):
        job = stack.wait(job_id, within=30)
        assert (job["status"], job["status_reason"]) == ("succeeded", None)
        assert stack.results(job_id) == [
            {"id": row["id"], "word": f"word{row['id']}"} for row in ROWS
        ]


def all_done(stack: Stack, job_id: str) -> bool:
    return bool(
        stack.scalar(
            "SELECT coalesce(sum(succeeded), 0) = %s FROM shards WHERE job_id = %s",
            len(ROWS),
            job_id,
        )
    )


def stage_of(stack: Stack, job_id: str) -> int:
    return int(stack.scalar("SELECT id FROM stages WHERE job_id = %s", job_id))


def mismatch(stack: Stack, job_id: str) -> dict[str, str] | None:
    job = stack.get(f"/v1/jobs/{job_id}").json
    assert job["finished_at"] is None
    reason: dict[str, str] | None = job["status_reason"]
    return reason if reason and reason["kind"] == "ledger_mismatch" else None
