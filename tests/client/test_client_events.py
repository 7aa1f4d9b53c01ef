"""Events: over cuts each comes once and in order, to the last one."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from apwa_client import ApiUnreachable, Event, NotFound
from tests.client.fake_api import FakeApi, job, problem, stream, told

SSE = "text/event-stream; charset=utf-8"
CUT = httpx2.RemoteProtocolError("peer closed")


def event(number: int, kind: str = "stage.closed") -> bytes:
    data = json.dumps({"n": number})
    return f"id: {number}\nevent: {kind}\ndata: {data}\n\n".encode()


def ids(found: list[Event]) -> list[str | None]:
    return [one.id for one in found]


def job_of(api: FakeApi, state: str = "running") -> Any:
    from apwa_client import Job

    return Job(api.client(), job(state))  # type: ignore[arg-type]


def test_a_stream_is_taken_up_again_after_the_last_event_with_an_id() -> None:
    api = FakeApi(
        stream(b": hello\n\n", event(1), event(2)[:9], CUT, kind=SSE),
        httpx2.ConnectError("refused"),
        stream(event(2) + event(3), kind=SSE),  # ends too soon, politely
        stream(b'event: note\ndata: {"n": 0}\n\n', event(4, "done"), kind=SSE),
    )

    found = list(job_of(api).events())

    assert [one.data["n"] for one in found] == [1, 2, 3, 0, 4]
    assert found[-1] == Event("done", {"n": 4}, "4")
    assert api.sent("Last-Event-ID") == [None, "1", "1", "3"]
    assert set(api.sent("Accept")) == {"text/event-stream"}


def test_an_event_cut_in_the_middle_is_not_told_until_it_is_whole() -> None:
    whole = event(1)
    api = FakeApi(stream(whole[:-1], CUT, kind=SSE), stream(event(1), event(2, "done"), kind=SSE))

    assert ids(list(job_of(api).events())) == ["1", "2"]


def test_an_event_may_come_in_any_pieces() -> None:
    raw = event(1) + b": beat\n\n" + event(2, "done").replace(b"\n", b"\r\n")
    api = FakeApi(stream(*(raw[at : at + 1] for at in range(len(raw))), kind=SSE))

    assert ids(list(job_of(api).events())) == ["1", "2"]


def test_a_stream_can_begin_after_an_event_that_was_seen_before() -> None:
    api = FakeApi(stream(event(8, "done"), kind=SSE))

    list(job_of(api).events(after="7"))

    assert api.sent("Last-Event-ID") == ["7"]


def test_a_stream_that_never_comes_back_is_given_up() -> None:
    api = FakeApi(stream(event(1), CUT, kind=SSE), httpx2.ConnectError("refused"))
    events = job_of(api).events()

    assert next(events).id == "1"
    with pytest.raises(ApiUnreachable):
        next(events)


def test_a_stream_that_always_ends_at_once_is_given_up() -> None:
    api = FakeApi(lambda _: stream(kind=SSE))

    with pytest.raises(ApiUnreachable, match="ended early"):
        list(job_of(api).events())

    assert len(api.requests) == 4


def test_an_error_of_the_api_ends_it() -> None:
    with pytest.raises(NotFound):
        list(job_of(FakeApi(problem(404, "not_found"))).events())


def test_an_api_without_streams_is_asked_for_pages() -> None:
    first = [{"id": f"evt_{n}", "type": "job.started"} for n in (1, 2)]
    last = [{"id": "evt_3", "type": "job.finished"}]
    api = FakeApi(
        problem(406, "not_acceptable"),
        told(job("running")),
        told({"items": first, "next_cursor": None}),
        told(job("succeeded")),
        told({"items": [*first, *last], "next_cursor": None}),
    )

    found = list(job_of(api).events(after="evt_1"))

    assert ids(found) == ["evt_2", "evt_3"]
    assert found[-1].type == "job.finished"


def test_the_async_twin_resumes_alike() -> None:
    from apwa_client import AsyncJob

    async def pieces(*given: bytes | Exception) -> AsyncIterator[bytes]:
        for piece in given:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def answer(*given: bytes | Exception) -> httpx2.Response:
        return httpx2.Response(200, content=pieces(*given), headers={"Content-Type": SSE})

    api = FakeApi(answer(event(1), event(2), CUT), answer(event(3, "done")))

    async def watch() -> list[Event]:
        async with api.async_client() as client:
            job_in_hand = AsyncJob(client, job())  # type: ignore[arg-type]
            return [one async for one in job_in_hand.events()]

    assert ids(asyncio.run(watch())) == ["1", "2", "3"]
    assert api.sent("Last-Event-ID") == [None, "2"]
