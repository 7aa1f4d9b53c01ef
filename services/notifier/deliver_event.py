"""Sends one leased delivery and writes what became of it."""

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from services.notifier.judge import GONE, asked_delay_s, problem_of, shown
from services.notifier.make_request import make_request
from services.notifier.note_health import disable_endpoint, note_health
from shared.database import deliveries
from shared.database.deliveries import Attempt, Claimed
from shared.database.engine import Connection, Engine, retrying
from shared.database.webhook_endpoints import DELETED, DISABLED
from shared.domain.webhook import next_delay_s
from shared.log import get_logger
from shared.net.aiohttp_send import send_with_aiohttp
from shared.net.exchange import Send, exchange
from shared.net.guard import Guard
from shared.net.refused import WebError
from shared.net.web_request import WebRequest
from shared.secret_box import SecretBox, SecretsNotConfigured, SecretUnreadable
from shared.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Notifier:
    """What sending works with; transactions run on `writers` (None: the loop's own threads)."""

    engine: Engine
    settings: Settings
    guard: Guard
    box: SecretBox
    send: Send = send_with_aiohttp
    luck: Callable[[], float] = random.random
    writers: ThreadPoolExecutor | None = None


@dataclass(frozen=True, slots=True)
class _Try:
    attempt: Attempt
    retry_after_s: float | None = None
    gone: bool = False


async def deliver_event(notifier: Notifier, delivery: Claimed) -> None:
    """Send it and settle it; killed in between, it is sent again under the same id."""
    if delivery.url is None or delivery.disabled:
        status, error = ("cancelled", DELETED) if delivery.url is None else ("skipped", DISABLED)
        await _write(
            notifier,
            lambda tx: deliveries.drop(tx, delivery.id, delivery.fence, status, error),
        )
        return
    tried = await _send(notifier, delivery, delivery.url)
    outcome = await _write(notifier, lambda tx: _settle(notifier, tx, delivery, tried))
    if outcome is None:
        return
    get_logger(delivery_id=delivery.id, endpoint_id=delivery.endpoint_id).info(
        "webhook_sent",
        type=delivery.type,
        status=outcome,
        code=(tried.attempt.error or {}).get("code"),
        response_status=tried.attempt.response_status,
        duration_ms=tried.attempt.duration_ms,
    )
    if tried.gone:
        detail = "The receiver answered 410 Gone."
        await _write(notifier, lambda tx: disable_endpoint(tx, delivery, "gone", detail))
    else:
        await _write(notifier, lambda tx: note_health(tx, notifier.settings, delivery, outcome))


async def _send(notifier: Notifier, delivery: Claimed, url: str) -> _Try:
    try:
        request = make_request(delivery, url, notifier.box, notifier.settings.webhook_wall_s)
    except (SecretsNotConfigured, SecretUnreadable) as error:
        problem = {"code": "secret_unreadable", "detail": f"It cannot be signed: {error}."}
        return _Try(_attempt(delivery, WebRequest(url), 0.0, problem))
    started = time.monotonic()
    try:
        answer = await exchange(request, notifier.guard, notifier.send)
    except WebError as error:
        problem = {"code": error.code, "detail": error.detail[:500]}
        return _Try(_attempt(delivery, request, time.monotonic() - started, problem))
    failed = problem_of(answer)
    attempt = replace(
        _attempt(delivery, request, time.monotonic() - started, failed),
        response_status=answer.status,
        response=shown(answer),
    )
    asked = asked_delay_s(answer) if failed is not None else None
    return _Try(attempt, asked, answer.status == GONE)


def _attempt(
    delivery: Claimed, request: WebRequest, took_s: float, error: dict[str, Any] | None
) -> Attempt:
    return Attempt(
        started_at=delivery.now,
        duration_ms=round(took_s * 1_000),
        request={"url": request.url, "headers": dict(request.headers)},
        response_status=None,
        response=None,
        error=error,
    )


def _settle(notifier: Notifier, tx: Connection, delivery: Claimed, tried: _Try) -> str | None:
    retry_in_s = None
    if tried.attempt.error is not None and not tried.gone:
        retry_in_s = next_delay_s(
            notifier.settings.webhook_delays_s, delivery.tries + 1, tried.retry_after_s,
            notifier.luck(),
        )  # fmt: skip
    return deliveries.settle(tx, delivery.id, delivery.fence, tried.attempt, retry_in_s)


async def _write(notifier: Notifier, work: Callable[[Connection], T]) -> T:
    """Run a transaction on a thread, again while Postgres blinks."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(notifier.writers, retrying, notifier.engine, work)


def lease_s(settings: Settings) -> float:
    """Return for how long a delivery is leased: the longest sending, and time to write it down."""
    return settings.webhook_wall_s + settings.lease_s
