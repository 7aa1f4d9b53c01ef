"""What takes shards without being told: one that goes wrong is told of, and hinders no other."""

from structlog.testing import capture_logs

from services.worker.unheard import Unheard
from shared.broker.inbox import Inbox


def test_a_shard_that_goes_wrong_is_told_of_and_can_be_taken_again() -> None:
    # given a shard whose run ends in an error the first time
    runs: list[int] = []

    def run(shard_id: int) -> bool:
        runs.append(shard_id)
        if len(runs) == 1:
            raise LookupError("the stage is gone")
        return True

    again = Inbox()
    taker = Unheard(
        lambda: [7], run, slots=1, last_heard=lambda: 0.0, silence_s=0.0, again=again
    )  # fmt: skip

    # when it is looked for until it ran
    with capture_logs() as lines:
        while len(runs) < 2:
            taker.look()
        taker.close()

    # then the error was logged, and only the run that went well rings for the next look
    assert [(one["event"], one["shard_id"], one["error"]) for one in lines] == [
        ("work_failed", 7, "LookupError")
    ]
    assert again.take(0) == "a slot is free"


def test_nothing_is_looked_for_while_messages_come_nor_once_closed() -> None:
    heard_at = [1e12]
    taker = Unheard(
        _never, lambda _: True, slots=1, last_heard=lambda: heard_at[0], silence_s=5.0,
        again=Inbox(),
    )  # fmt: skip
    taker.look()
    heard_at[0] = 0.0
    taker.close()
    taker.look()


def _never() -> list[int]:
    raise AssertionError("it looked")
