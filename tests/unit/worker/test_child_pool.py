"""Children that compute: they may die, hang or misbehave, and the next batch still runs."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import psutil
import pytest

from services.worker.child_pool import LONGEST_RETRY_AFTER_S, ChildDied, ChildPool, raised
from shared.capabilities.contract import Context, Unit
from tests.eventually import eventually
from tests.unit.capabilities.units import context_of, unit_of


@pytest.fixture(scope="module")
def pool() -> Iterator[ChildPool]:
    made = ChildPool(1)
    yield made
    made.close()


def batch(*texts: str) -> list[tuple[Unit, Context]]:
    return [(unit_of(text), context_of(patterns={"word": "\\w+"})) for text in texts]


def answers(pool: ChildPool, *texts: str) -> list[Any]:
    return pool.submit("extract", batch(*texts), 30.0).result(60)


def children() -> list[psutil.Process]:
    """Return our own children that compute (not the tracker that Python adds)."""
    return [
        child
        for child in psutil.Process().children()
        if "--multiprocessing-fork" in child.cmdline()
    ]


def test_answers_come_in_the_order_of_the_batch(pool: ChildPool) -> None:
    assert answers(pool, "one two", "three") == [{"word": "one"}, {"word": "three"}]


def test_a_child_that_dies_while_idle_is_replaced(pool: ChildPool) -> None:
    answers(pool, "warm")
    [child] = children()
    child.kill()
    eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)

    def works_again() -> bool:
        try:
            return answers(pool, "again") == [{"word": "again"}]
        except ChildDied:
            return False  # given to the dying pool: the caller tries once more

    assert eventually(works_again, within=30)


def test_what_a_broken_pool_was_given_ends_instead_of_waiting_for_ever(pool: ChildPool) -> None:
    answers(pool, "warm")
    [child] = children()
    os.kill(child.pid, signal.SIGSTOP)
    given = pool.submit("extract", batch("never"), 30.0)
    child.kill()

    def ended() -> bool:
        pool.mend()
        return given.done()

    eventually(ended, within=30)
    assert given.exception() is None or isinstance(given.exception(), ChildDied)
    eventually(lambda: answers(pool, "again") == [{"word": "again"}], within=30)


class Told(Exception):
    """Carries what the contract honours."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__("told\x00")
        self.__dict__.update(attributes)


def test_an_exception_is_known_by_its_attributes() -> None:
    found = raised(Told(code="busy", transient=True, retry_after_s=2))
    assert (found.code, found.transient, found.retry_after_s) == ("busy", True, 2.0)
    assert found.detail == "Told: told"


@pytest.mark.parametrize("code", [None, 7, "", ["x"]])
def test_a_code_that_is_no_text_is_not_taken(code: Any) -> None:
    assert raised(Told(code=code)).code == "capability_error"


@pytest.mark.parametrize(
    ("asked", "taken"),
    [(-1, None), (float("nan"), None), (float("inf"), None), ("5", None), (None, None),
     (1e12, LONGEST_RETRY_AFTER_S), (0.5, 0.5)],
)  # fmt: skip
def test_only_a_sound_pause_is_honoured(asked: Any, taken: float | None) -> None:
    assert raised(Told(retry_after_s=asked)).retry_after_s == taken


def test_of_a_group_of_exceptions_the_first_counts() -> None:
    group = BaseExceptionGroup("all", [ExceptionGroup("some", [Told(code="first")]), Told()])
    assert raised(group).code == "first"


def test_an_endless_text_is_clipped_and_made_storable() -> None:
    found = raised(ValueError("x" * 5_000 + "\ud800"))
    assert len(found.detail) <= 1_000
    assert raised(ValueError("\ud800")).detail == "ValueError: ?"
    assert issubclass(BrokenProcessPool, ChildDied)
