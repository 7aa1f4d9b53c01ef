"""Fetches one web page as text, for the capability `fetch` and the agent's tool of that name."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from services.worker.capabilities.page_text import PageText, is_text, page_text
from services.worker.capabilities.side_child import ChildLostError, in_child
from shared.net.addresses import parse_networks
from shared.net.exchange import exchange
from shared.net.guard import Guard
from shared.net.refused import WebError
from shared.net.web_request import WebAnswer, WebRequest
from shared.settings import Settings, load_settings

REDIRECTS = 3
READ_S = 20.0  # for turning a page into text
LONGEST_RETRY_AFTER_S = 600.0
_ACCEPT = "text/html, application/xhtml+xml, text/plain, application/json;q=0.8, text/*;q=0.5"
_BUSY = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it was read from `url`, the last of the redirects; `fetched_at` in UTC."""

    url: str
    status: int
    title: str | None
    text: str
    fetched_at: str


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """Where pages may come from, how large they may be and how long they may take."""

    guard: Guard
    most_bytes: int
    wall_s: float


async def fetch_page(url: str, limits: FetchLimits) -> Page:
    """Return the text of a page, whatever its status but 429, 502, 503 and 504.

    Raises WebError: see there for the codes.
    """
    request = WebRequest(
        url,
        headers={"Accept": _ACCEPT},
        redirects=REDIRECTS,
        wall_s=limits.wall_s,
        most_bytes=limits.most_bytes,
    )
    answer = await exchange(request, limits.guard)
    if answer.status in _BUSY:
        detail = f"The server answers {answer.status}."
        raise WebError("busy", detail, transient=True, retry_after_s=_retry_after(answer))
    found = await _text(answer)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Page(answer.url, answer.status, found.title, found.text, now)


@cache
def fetch_limits() -> FetchLimits:
    """Return the limits of this deployment's settings."""
    return limits_of(load_settings(stores=False))


def limits_of(settings: Settings) -> FetchLimits:
    """Return the limits the settings say."""
    guard = Guard(parse_networks(settings.allow_networks))
    return FetchLimits(guard, settings.fetch_max_bytes, settings.fetch_wall_s)


async def _text(answer: WebAnswer) -> PageText:
    if not answer.body:
        return PageText(None, "")
    content_type = answer.headers.get("content-type", "")
    if not is_text(content_type):
        raise WebError("not_text", f"The page is {content_type[:80] or 'of no said kind'}.")
    try:
        found = await in_child(page_text, answer.body, content_type, wall_s=READ_S)
    except TimeoutError:
        raise WebError("bad_response", "The page takes too long to read.") from None
    except ChildLostError:
        raise WebError("bad_response", "The page takes too much memory to read.") from None
    if found is None:
        raise WebError("not_text", "The page says it is text, and is not.")
    return PageText(found.title, found.text)


def _retry_after(answer: WebAnswer) -> float | None:
    told = answer.headers.get("retry-after", "")
    return min(float(told), LONGEST_RETRY_AFTER_S) if told.isdecimal() and len(told) < 9 else None
