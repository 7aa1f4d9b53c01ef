"""A stream that cannot be cut is stopped, and holds up no other stream."""

from collections.abc import Callable

from tests.acceptance.test_stream import append, end, stream_job, tickets
from tests.eventually import eventually
from tests.stack import Stack

FORMED = """SELECT t.row_count FROM streams s JOIN tables t ON t.id = s.table_id
  WHERE s.job_id = %s"""
STOPPED_AS = "SELECT finish_as FROM jobs WHERE id = %s"


def test_a_stream_whose_rows_are_gone_stops_alone(make_stack: Callable[..., Stack]) -> None:
    # given two streams, of which one lost accepted rows it has not yet worked off
    stack = make_stack(
        APWA_STREAM_SHARD_ROWS="1000", APWA_STREAM_MAX_AGE_S="3", APWA_LEASE_S="2"
    ).start_all(workers=1)
    broken, sound = stack.submit(stream_job()), stack.submit(stream_job())
    append(stack, broken, tickets(range(5)))
    append(stack, broken, tickets(range(5, 10)))
    stack.rows(
        """DELETE FROM stream_batches b USING streams s WHERE s.table_id = b.table_id
          AND s.job_id = %s AND b.first_row = 0""",
        broken,
    )

    # when records of both are due
    append(stack, sound, tickets(range(30)))

    # then the other is cut all the same, and the one is given up instead of tried for ever
    eventually(lambda: stack.scalar(FORMED, sound) == 30, within=60)
    eventually(lambda: stack.scalar(STOPPED_AS, broken) == "failed", within=60)

    # and it comes to its end, with every record it took accounted for
    job = stack.wait(broken, within=60)
    assert (job["status"], job["error"]["code"]) == ("failed", "internal_error")
    told = job["coverage"]
    assert (told["unreadable"], told["units"], told["skipped"]) == (10, 10, 10)
    record = stack.get(f"/v1/jobs/{broken}/records/7").json
    assert (record["error"] or {})["code"] == "stream_cut_short"

    # and the sound one goes on
    end(stack, sound)
    assert stack.wait(sound, within=60)["status"] == "succeeded"
    assert sorted(row["id"] for row in stack.results(sound)) == list(range(30))
