"""kill -9 and a forgetful Redis in the middle of a job: the record is as if nothing had been."""

import shutil

import psycopg

from tests.eventually import eventually
from tests.faults.accounts import assert_each_unit_once, job_of, people, settled
from tests.stack import Stack

EXTRACT = {
    "version": 1,
    "stages": [
        {
            "name": "names",
            "over": "people",
            "unit": {"rows": 1},
            "capability": "extract",
            "params": {"field": "do", "patterns": {"name": "\\w+"}},
        }
    ],
    "result": {"table": "names"},
}


def test_a_planner_killed_while_cutting_leaves_no_gap_and_no_double(stack: Stack) -> None:
    # given a planner that cuts slowly: shards of one unit, each in a transaction of its own
    stack.kill("planner")
    stack.start("planner", APWA_SHARD_SIZE="1", APWA_CUT_BATCH_SHARDS="1")
    units = 1500
    job_id = stack.submit(job_of(people(units), plan=EXTRACT))

    # when it is killed in the middle, and the next one cuts in other sizes
    cut = "SELECT coalesce(max(cut_units), 0) FROM stages WHERE job_id = %s"
    eventually(lambda: stack.scalar(cut, job_id) > 50, within=30, every=0.01)
    stack.kill("planner")
    assert stack.scalar(cut, job_id) < units, "all was cut before the fault: make it longer"
    stack.start("planner", APWA_SHARD_SIZE="40")

    # then every unit is in one shard and has one result
    assert_each_unit_once(stack, stack.wait(job_id), units)
    firsts = stack.rows(
        "SELECT first_unit, last_unit FROM shards WHERE job_id = %s AND parent_id IS NULL "
        "ORDER BY first_unit",
        job_id,
    )
    assert [first for first, _ in firsts] == [0, *(last + 1 for _, last in firsts[:-1])]
    assert firsts[-1][1] == units - 1
    stack.kill("planner")


def test_a_collector_killed_while_sealing_is_gone_on_with(stack: Stack) -> None:
    # given a collector that is held up at its second chunk of the output
    units = 1600
    with psycopg.connect(stack.database_url, autocommit=True) as holder:
        hold_second_chunk(stack, holder)
        job_id = stack.submit(job_of(people(units), plan=EXTRACT))
        chunks = """SELECT count(*) FROM table_chunks c JOIN stages t ON t.output_table_id =
          c.table_id WHERE t.job_id = %s AND t.status = 'sealing'"""
        eventually(lambda: stack.scalar(chunks, job_id) == 1, within=60)
        eventually(lambda: stack.scalar("SELECT count(*) FROM pg_locks WHERE NOT granted") >= 1)

        # when it is killed there and another one comes
        stack.kill("collector")
    stack.start("collector")

    # then the table is whole and in order
    job = stack.wait(job_id)
    assert_each_unit_once(stack, job, units)
    assert [row["id"] for row in stack.results(job_id)] == list(range(units))
    assert stack.scalar("SELECT count(*) FROM table_chunks WHERE no > 1") >= 1


def test_workers_killed_twice_lose_and_double_nothing(stack: Stack) -> None:
    units = 500
    job_id = stack.submit(job_of(people(units, nap_s=0.01)))
    for share in (0.2, 0.5):
        eventually(lambda share=share: settled(stack, job_id) > share * units, within=60)
        eventually(lambda: holds(stack, job_id, stack.processes["worker"][0].pid) > 1, within=30)
        stack.kill("worker")
        stack.start("worker")
    assert settled(stack, job_id) < units, "the job was over before the fault: make it longer"
    assert_each_unit_once(stack, stack.wait(job_id), units)
    lost = """SELECT count(*) FROM shard_deliveries d JOIN shards s ON s.id = d.shard_id
      WHERE s.job_id = %s AND ending = 'lost'"""
    assert stack.scalar(lost, job_id) >= 2


def test_a_redis_wiped_again_and_again_costs_nothing_but_time(stack: Stack) -> None:
    units = 500
    job_id = stack.submit(job_of(people(units, nap_s=0.01)))
    for share in (0.1, 0.2, 0.3, 0.5, 0.7):
        eventually(lambda share=share: settled(stack, job_id) > share * units, within=60)
        stack.redis().flushall()
    assert settled(stack, job_id) < units, "the job was over before the fault: make it longer"
    assert_each_unit_once(stack, stack.wait(job_id), units)
    assert '"event": "redis_came_back_empty"' in stack.logs("planner")


def test_a_redis_killed_and_started_empty_costs_nothing_but_time(stack: Stack) -> None:
    units = 500
    job_id = stack.submit(job_of(people(units, nap_s=0.01)))
    eventually(lambda: settled(stack, job_id) > 0.2 * units, within=60)
    stack.valkey.process.kill_group()
    shutil.rmtree(stack.folder / "valkey")
    before = settled(stack, job_id)
    eventually(lambda: settled(stack, job_id) > before + 10, within=30)  # Redis is away
    stack.valkey.start(stack.valkey.port)
    assert settled(stack, job_id) < units, "the job was over before the fault: make it longer"
    assert_each_unit_once(stack, stack.wait(job_id), units)

    # and doorbells ring again: a new job needs no slow polling
    assert stack.wait(stack.submit(job_of(people(5))), within=30)["status"] == "succeeded"


def holds(stack: Stack, job_id: str, pid: int) -> int:
    """Return how many shards with open units the worker has."""
    return int(
        stack.scalar(
            """SELECT count(*) FROM shards s JOIN workers w ON w.id = s.worker_id
              WHERE s.job_id = %s AND w.pid = %s AND s.status = 'running'
              AND s.succeeded < s.unit_count""",
            job_id,
            pid,
        )
    )


def hold_second_chunk(stack: Stack, holder: psycopg.Connection) -> None:
    """Let every writer of a chunk numbered 1 wait as long as `holder` stays connected."""
    holder.execute("SELECT pg_advisory_lock(4711)")
    stack.rows(
        """CREATE OR REPLACE FUNCTION hold_chunk() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.no = 1 THEN PERFORM pg_advisory_xact_lock_shared(4711); END IF;
          RETURN NEW;
        END $$"""
    )
    stack.rows(
        """CREATE OR REPLACE TRIGGER hold_chunk BEFORE INSERT ON table_chunks FOR EACH ROW
        EXECUTE FUNCTION hold_chunk()"""
    )
