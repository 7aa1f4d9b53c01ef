"""Bodies that come too slowly."""

import io

import pytest

from services.api import timed_input
from services.api.problems import Problem
from services.api.timed_input import TimedInput


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Silent(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise BlockingIOError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timed_input, "time", made)
    return made


def test_a_body_that_keeps_coming_may_take_long(clock: Clock) -> None:
    body = TimedInput(io.BytesIO(b"x" * 1_000_000))
    for _ in range(10):
        clock.now += 10
        assert len(body.read(100_000)) == 100_000


def test_a_drip_is_ended(clock: Clock) -> None:
    body = TimedInput(io.BytesIO(b"x" * 100))
    for _ in range(3):
        clock.now += 10
        assert body.read(1) == b"x"
    clock.now += 10
    with pytest.raises(Problem) as raised:
        body.read(1)
    assert raised.value.status == 408


def test_silence_is_ended_by_the_socket() -> None:
    with pytest.raises(Problem) as raised:
        TimedInput(Silent()).read(1)
    assert raised.value.status == 408
