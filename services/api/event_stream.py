"""A job as a stream of server-sent events: a snapshot, then everything that happened, then `done`.

Every entry of the feed has its number as `id`. A client that was cut off sends the last one it saw
(`Last-Event-ID`) and gets what came after it: each entry once, in order.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from flask import request

from services.api.answers import moment
from services.api.open_streams import Listener, OpenStreams, waits
from services.api.problems import invalid
from shared.database import job_feed
from shared.database.engine import DBAPIError, Engine, PoolTimeout, is_transient
from shared.database.job_feed import FeedItem, FeedState

MEDIA_TYPE = "text/event-stream"
ENTRIES_AT_ONCE = 200
RETRY_MS = 1_000  # a browser that was cut off comes back after this
RETRY_DONE_MS = 60_000  # and one that does not close at `done` after this
_HEADER = "Last-Event-ID"
_NOTHING: tuple[FeedState | None, list[FeedItem]] = (FeedState(0, False, False), [])


@dataclass(frozen=True, slots=True)
class Watch:
    """What one stream needs. `allowed` looks again whether its key or token still opens it."""

    engine: Engine
    job_id: str
    after: int
    snapshot: dict[str, Any]
    job_at_end: Callable[[], dict[str, Any] | None]
    allowed: Callable[[], bool]
    listener: Listener
    streams: OpenStreams
    poll_s: float
    heartbeat_s: float


def last_event_id() -> int:
    """Return the number the client saw last, 0 when it sends none."""
    given = request.headers.get(_HEADER, "").strip()
    if not given:
        return 0
    if not (given.isascii() and given.isdigit() and len(given) <= 18):
        raise invalid(f"/headers/{_HEADER}", "Send back an id of this stream, or none.")
    return int(given)


def events_of(watch: Watch) -> Iterator[bytes]:
    """Yield the frames until the job is final and all was told, or nobody listens any more."""
    yield _frame("snapshot", watch.snapshot, retry_ms=RETRY_MS)
    after = watch.after
    shown_at = checked_at = time.monotonic()
    while True:
        state, items = _news(watch, after)
        if items:
            yield b"".join(_entry(item) for item in items)
            after, shown_at = items[-1].no, time.monotonic()
        more = len(items) == ENTRIES_AT_ONCE
        if not more and (state is None or state.deleted or state.final):
            ending = {"job": watch.job_at_end(), "last_event_id": str(after)}
            yield _frame("done", ending, retry_ms=RETRY_DONE_MS)
            return
        if not waits(watch.listener, watch.streams, 0 if more else watch.poll_s):
            return
        if time.monotonic() - checked_at >= watch.heartbeat_s:
            if not watch.allowed():
                return
            checked_at = time.monotonic()
        if time.monotonic() - shown_at >= watch.heartbeat_s:
            yield b": alive\n\n"
            shown_at = time.monotonic()


def _news(watch: Watch, after: int) -> tuple[FeedState | None, list[FeedItem]]:
    """Look once; a database that is away for a moment has no news."""
    try:
        with watch.engine.connect() as connection:
            state = job_feed.state(connection, watch.job_id)
            if state is None or state.last_no <= after:
                return state, []
            return state, job_feed.page(
                connection, watch.job_id, after=after, limit=ENTRIES_AT_ONCE
            )
    except (DBAPIError, PoolTimeout) as error:
        if not is_transient(error):
            raise
        return _NOTHING


def _entry(item: FeedItem) -> bytes:
    told = {
        "id": item.id, "seq": item.no, "type": item.type, "actor": item.actor, "data": item.data,
        "created_at": moment(item.at),
    }  # fmt: skip
    return b"id: %d\n" % item.no + _frame(item.type, told)


def _frame(name: str, data: dict[str, Any], *, retry_ms: int | None = None) -> bytes:
    """Return one event; JSON has no line ends, so it is one line of data."""
    retry = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
    return retry + b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"
