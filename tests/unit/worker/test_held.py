"""Which shards a process runs beside each other."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from services.worker.held import HeldShards
from shared.database.shards import ShardRecord
from tests.eventually import eventually


def shard(id_: int, fence: int = 1) -> ShardRecord:
    return ShardRecord(
        id=id_, stage_id=1, job_id="job", status="running", capability="any", queue="cpu",
        first_unit=0, last_unit=9, only_units=None, unit_count=10, first_row=0, row_count=10,
        fence=fence, lost=0, alone=False,
    )  # fmt: skip


class Turn:
    """A thread that waits for its turn and keeps it until told."""

    def __init__(self, held: HeldShards, *, alone: bool = False, spare: bool = False) -> None:
        self.has_it, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=[held, alone, spare], daemon=True)
        self._thread.start()

    def _run(self, held: HeldShards, alone: bool, spare: bool) -> None:
        with held.turn(alone=alone, spare=spare):
            self.has_it.set()
            self._done.wait(30)

    def end(self) -> None:
        self._done.set()
        self._thread.join(10)


@contextmanager
def turns(held: HeldShards, count: int) -> Iterator[list[Turn]]:
    made = [Turn(held) for _ in range(count)]
    yield made
    for turn in made:
        turn.end()


def test_as_many_run_at_once_as_there_are_slots() -> None:
    held = HeldShards(2)
    with turns(held, 3) as made:
        eventually(lambda: sum(turn.has_it.is_set() for turn in made) == 2)
        assert held.free == 0
        first = next(turn for turn in made if turn.has_it.is_set())
        first.end()
        eventually(lambda: all(turn.has_it.is_set() for turn in made))
    assert held.free == 2


def test_spare_slots_are_there_once_all_others_are_taken_and_for_those_who_may() -> None:
    held = HeldShards(2)
    with turns(held, 1) as [first]:
        assert first.has_it.wait(10)
        assert held.spare == 0
        with turns(held, 1) as [second]:
            assert second.has_it.wait(10)
            assert held.spare == 2
            spare = [Turn(held, spare=True) for _ in range(3)]
            eventually(lambda: sum(turn.has_it.is_set() for turn in spare) == 2)
            waits = Turn(held)
            assert (held.spare, held.free) == (0, 0)
            for turn in spare:
                turn.end()
            assert not waits.has_it.is_set()
        assert waits.has_it.wait(10)
        waits.end()


def test_one_that_must_be_alone_waits_for_the_others_and_lets_no_new_one_pass() -> None:
    held = HeldShards(3)
    with turns(held, 1) as [running]:
        eventually(running.has_it.is_set)
        alone = Turn(held, alone=True)
        eventually(lambda: held.free == 1)  # one runs, one waits
        late = Turn(held)
        assert not alone.has_it.is_set()
        running.end()
        assert alone.has_it.wait(10)
        assert not late.has_it.is_set()
        assert held.free == 0
        alone.end()
        assert late.has_it.wait(10)
        late.end()


def test_shards_are_held_by_their_fence_and_lost_once() -> None:
    held = HeldShards(4)
    old, new = held.add(shard(1, fence=1)), held.add(shard(1, fence=2))
    assert held.all() == [old, new]
    old.lose()
    assert (old.lost, new.lost) == (True, False)
    held.remove(old)
    held.remove(old)
    assert held.all() == [new]


def test_a_claim_is_reported_once() -> None:
    held = HeldShards(4)
    assert not held.take_claimed()
    held.add(shard(1))
    assert held.take_claimed()
    assert not held.take_claimed()


def test_a_turn_ends_when_its_work_fails() -> None:
    held, seen = HeldShards(1), queue.Queue[str]()

    def fail() -> None:
        try:
            with held.turn(alone=True):
                raise RuntimeError("of one shard")
        except RuntimeError:
            seen.put("failed")

    threading.Thread(target=fail, daemon=True).start()
    assert seen.get(timeout=10) == "failed"
    assert held.free == 1


def test_a_halted_job_starts_nothing_in_shards_held_or_claimed_meanwhile() -> None:
    held = HeldShards(3)
    before = held.add(shard(1))
    with held.halting("job"):
        meanwhile = held.add(shard(2))
        assert before.halted
        assert meanwhile.halted
    assert not held.add(shard(3)).halted, "the job was resumed"
