"""kill -9 of workers while models answer: no result lost or doubled, and every call paid once."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.acceptance.money import (
    IN_PRICE,
    OUT_PRICE,
    assert_accounts_add_up,
    labels_plan,
    priced_stack,
    tickets,
)
from tests.eventually import eventually
from tests.fake_llm.journal import Call
from tests.fake_llm.process import FakeModel
from tests.faults.accounts import assert_each_unit_once, settled
from tests.stack import Stack

ROWS, KILLS = 800, 4
IN_FLIGHT, BATCH = 20, 50  # calls of one process, and outcomes settled together (the default)


def test_workers_killed_during_calls_repeat_what_was_in_flight_and_a_batch_at_most(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    # given two workers with calls that take a while
    draw = random.Random(3)
    with FakeModel(tmp_path, latency_ms={"uniform": [100, 300]}) as model:
        stack = priced_stack(make_stack, model, APWA_LOOP_CONCURRENCY=str(IN_FLIGHT))
        assert stack.settings.settle_batch == BATCH
        job_id = stack.submit({"plan": labels_plan(), "inputs": tickets(ROWS)})

        # when one after the other is killed, each with calls under way
        for number in range(KILLS):
            share = (number + draw.uniform(0.3, 0.7)) / (KILLS + 1)
            eventually(lambda share=share: settled(stack, job_id) > share * ROWS, within=60)
            at_work = eventually(lambda: with_open_units(stack, job_id), within=30, every=0.01)
            stack.kill("worker", draw.choice(at_work))
            stack.start("worker")
        assert settled(stack, job_id) < ROWS, "the job was over before the fault: make it longer"
        job = stack.wait(job_id, within=90)

        # then every row has its one result, of one call that is in the usage
        assert_each_unit_once(stack, job, ROWS)
        assert_accounts_add_up(stack, job_id)
        calls = model.calls()
    first = {call.own_markers[0]: call for call in calls if call.answered}
    usage = stack.get(f"/v1/jobs/{job_id}").json["usage"]
    assert usage["calls"] == ROWS == len(first)
    assert usage["cost_microusd"] == cost_of(first.values())

    # and what was called again is what the killed had in flight or not yet settled
    again = Counter(call.own_markers[0] for call in calls)
    extra = sum(again.values()) - ROWS
    most = KILLS * (IN_FLIGHT + BATCH)
    told = f"{extra} extra calls of {most} at most; {usage}"
    print(told)
    assert 0 < extra <= most, told
    lost = """SELECT count(*) FROM shard_deliveries d JOIN shards s ON s.id = d.shard_id
      WHERE s.job_id = %s AND ending = 'lost'"""
    assert stack.scalar(lost, job_id) >= KILLS

    # and all that may have been paid for them stands as unknown
    in_doubt = cost_of(calls) - usage["cost_microusd"]
    assert 0 < in_doubt <= usage["cost_unknown_microusd"]


def cost_of(calls: Iterable[Call]) -> int:
    """What these calls cost at the most, in micro-dollars: those without an answer too."""
    return sum(call.tokens_in * IN_PRICE + call.tokens_out * OUT_PRICE for call in calls)


def with_open_units(stack: Stack, job_id: str) -> list[int]:
    """Return which of the stack's workers have units that did not settle."""
    busy = stack.rows(
        """SELECT DISTINCT w.pid FROM shards s JOIN workers w ON w.id = s.worker_id
          WHERE s.job_id = %s AND s.status = 'running' AND s.succeeded < s.unit_count""",
        job_id,
    )
    return [no for no, one in enumerate(stack.processes["worker"]) if (one.pid,) in busy]
