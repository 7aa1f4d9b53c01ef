"""The events of a job as they come, over as many connections as it takes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx2

from apwa_client.blocking.ways import sleep
from apwa_client.errors import ApiError, ApiUnreachable
from apwa_client.events import SNAPSHOT, Event, event_of_page, event_of_stream
from apwa_client.objects import FINAL

if TYPE_CHECKING:
    from apwa_client.blocking.client import Client

_SSE = "text/event-stream"
_SILENT_S = 45.0  # a heartbeat comes every 15 s
_LARGEST_BYTES = 16_000_000  # of one event
_POLL_S = 1.0


class _PagesOnly(Exception):
    """Events of this API come as JSON pages."""


def events_of(client: "Client", job_id: str, after: str | None) -> Iterator[Event]:
    """Yield events until the job is final; `after` is the id of the last one seen.

    First comes a `snapshot` of job and stages, last `done`. A stream that breaks off is taken up
    again after the last event that had an id; every such event comes once. An API without
    streams is asked for its pages instead.
    """
    failed, shown = 0, False
    while True:
        cut = ApiUnreachable(client.url, EOFError("the stream ended early"), sent=True)
        try:
            for event in _one_stream(client, job_id, after):
                failed, after = 0, event.id or after
                if event.type != SNAPSHOT or not shown:
                    yield event
                shown = True
                if event.is_last:
                    return
        except ApiUnreachable as told:
            cut = told
        except _PagesOnly:
            break
        failed += 1
        pause_s = client.retries.pause_s(cut, failed, repeatable=True)
        if pause_s is None:
            raise cut
        sleep(pause_s)
    for event in _by_pages(client, job_id, after):
        yield event


def _one_stream(client: "Client", job_id: str, after: str | None) -> Iterator[Event]:
    headers = {"Last-Event-ID": after} if after else {}
    try:
        with client.stream(
            "list_events", job_id=job_id, accept=_SSE, headers=headers, read_timeout_s=_SILENT_S
        ) as response:
            if not response.headers.get("content-type", "").startswith(_SSE):
                raise _PagesOnly
            for told in httpx2.EventSource(response, _LARGEST_BYTES):
                if told.data:
                    yield event_of_stream(told.event, told.data, told.id)
    except ApiError as refused:
        if refused.status != 406:
            raise
        raise _PagesOnly from refused


def _by_pages(client: "Client", job_id: str, after: str | None) -> Iterator[Event]:
    seen = 0
    skipping = after is not None
    while True:
        # The job first: what is final then has all its events in the pages read after it.
        job = client.request("get_job", job_id=job_id)
        count = 0
        for item in client.pages(
            "list_events", job_id=job_id, limit=1000, accept="application/json"
        ):
            count += 1
            if count > seen and not skipping:
                yield event_of_page(item)
            skipping = skipping and item.get("id") != after
        seen = max(seen, count)
        if job["status"] in FINAL:
            return
        sleep(_POLL_S)
