"""Doorbells drop into an inbox; a thread works when one rings, and now and then anyway."""

import queue
import threading

from shared.broker.inbox import Inbox
from shared.broker.loop import run_when_rung


def test_ids_come_out_oldest_first_and_once_however_often_they_rang() -> None:
    inbox = Inbox()
    for id_ in ("a", "b", "a", "c", "b"):
        inbox.put(id_)
    assert [inbox.take(0) for _ in range(4)] == ["a", "b", "c", None]


def test_an_id_that_rings_again_after_it_was_taken_comes_again() -> None:
    inbox = Inbox()
    inbox.put("a")
    assert inbox.take(0) == "a"
    inbox.put("a")
    assert inbox.take(0) == "a"


def test_a_waiter_is_woken_by_a_ring_and_by_closing() -> None:
    inbox, got = Inbox(), queue.Queue[str | None]()
    for _ in range(2):
        threading.Thread(target=lambda: got.put(inbox.take(60)), daemon=True).start()
    inbox.put("a")
    assert got.get(timeout=10) == "a"
    inbox.close()
    assert got.get(timeout=10) is None
    inbox.pause(60)  # ends at once
    assert inbox.closed


def test_a_thread_works_when_rung_long_before_its_next_look() -> None:
    inbox, rung = Inbox(), queue.Queue[str]()
    thread = run_when_rung("test", inbox, 60, rung.put, lambda: None)
    inbox.put("a")
    assert rung.get(timeout=10) == "a"
    inbox.close()
    thread.join(10)
    assert not thread.is_alive()


def test_a_thread_looks_by_itself_also_while_it_is_rung_all_the_time() -> None:
    inbox, looks = Inbox(), queue.Queue[None]()
    thread = run_when_rung("test", inbox, 0.01, inbox.put, lambda: looks.put(None))
    inbox.put("rings itself again")
    for _ in range(3):
        looks.get(timeout=10)
    inbox.close()
    thread.join(10)


def test_an_error_does_not_end_the_thread() -> None:
    inbox, rung = Inbox(), queue.Queue[str]()

    def fail_once(id_: str) -> None:
        rung.put(id_)
        if id_ == "bad":
            raise RuntimeError("of one job")

    thread = run_when_rung("test", inbox, 0.01, fail_once, lambda: None)
    inbox.put("bad")
    assert rung.get(timeout=10) == "bad"
    inbox.put("good")
    assert rung.get(timeout=10) == "good"
    inbox.close()
    thread.join(10)
