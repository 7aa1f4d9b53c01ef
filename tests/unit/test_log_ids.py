"""Lines of work for a job carry the ids of the request it came with, and no longer than that."""

import asyncio
import threading

import pytest
from structlog.contextvars import clear_contextvars, get_contextvars

from shared.log import trace_id_of, working_for

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture(autouse=True)
def _nothing_bound() -> None:
    """Forget what other tests of this thread bound."""
    clear_contextvars()


def test_the_ids_are_bound_while_the_work_lasts() -> None:
    with working_for("req_1", PARENT):
        assert get_contextvars() == {"request_id": "req_1", "trace_id": TRACE}
        with working_for("req_2", None):
            assert get_contextvars() == {"request_id": "req_2", "trace_id": TRACE}
        assert get_contextvars()["request_id"] == "req_1"
    assert get_contextvars() == {}


def test_what_is_scheduled_on_a_loop_has_them_too() -> None:
    async def seen() -> dict[str, object]:
        await asyncio.sleep(0)
        return get_contextvars()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with working_for("req_1", PARENT):
            found = asyncio.run_coroutine_threadsafe(seen(), loop).result(5)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    assert found == {"request_id": "req_1", "trace_id": TRACE}


@pytest.mark.parametrize(
    "given",
    [
        None, "", "x", PARENT.upper(), PARENT + "-1", PARENT[:-1], f"ff{PARENT[2:]}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-{TRACE}-{'0' * 16}-01", PARENT + "\n",
    ],
)  # fmt: skip
def test_what_is_no_trace_has_no_id(given: str | None) -> None:
    assert trace_id_of(given) is None
