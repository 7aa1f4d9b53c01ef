"""A shard that was lost, and whose next message is lost as well, waits for neither clock."""

from collections.abc import Callable

from shared.broker.app import SHARD_QUEUES
from tests.eventually import eventually
from tests.faults.accounts import assert_ledger_adds_up, people
from tests.faults.test_kills import EXTRACT
from tests.stack import Stack

ANNOUNCED = "SELECT count(*) = 2 FROM shards WHERE status = 'dispatched'"


def test_a_worker_with_a_free_slot_finds_lost_shards_whose_messages_are_gone(
    make_stack: Callable[..., Stack],
) -> None:
    # given shards announced to a worker that is gone, and nobody who announces them again
    stack = make_stack(
        APWA_SHARD_SIZE="10", APWA_REDISPATCH_S="600", APWA_WORKER_IDLE_CLAIM_S="600"
    ).start_all(workers=1)
    stack.kill("worker")
    body = {"plan": EXTRACT, "inputs": {"people": {"rows": people(20), "key": "id"}}}
    job_id = stack.submit(body)
    eventually(lambda: stack.scalar(ANNOUNCED), within=20)
    eventually(lambda: stack.redis().delete(*SHARD_QUEUES.values()), within=20)
    stack.rows("UPDATE shards SET lost = 1")

    # when a worker comes that has nothing to do
    stack.start("worker")

    # then it takes them
    assert stack.wait(job_id, within=60)["status"] == "succeeded"
    assert_ledger_adds_up(stack, job_id)
