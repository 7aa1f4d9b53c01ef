"""Sends many deliveries at once on an event loop of its own, a few to each endpoint."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from services.notifier.deliver_event import Notifier, deliver_event, lease_s
from shared.database import deliveries
from shared.database.deliveries import Claimed
from shared.database.engine import Engine
from shared.log import get_logger
from shared.settings import Settings

LOOKUPS = 2  # threads for each slot: a look-up that hangs outlives its delivery for a while


class Sending:
    """Takes as many due deliveries as there is room for; `freed` is called when room comes."""

    def __init__(self, notifier: Notifier, freed: Callable[[], None]) -> None:
        self._notifier, self._freed = notifier, freed
        self._held: Counter[str] = Counter()  # under way, by endpoint
        self._lock = threading.Lock()
        self._open = True
        self._loop = asyncio.new_event_loop()
        lookups = LOOKUPS * notifier.settings.webhook_slots
        self._loop.set_default_executor(ThreadPoolExecutor(lookups, "lookup"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="send", daemon=True)
        self._thread.start()

    def take_due(self) -> int:
        """Claim what is due and begin to send it; return how many. Never waits for a receiver."""
        settings, engine = self._notifier.settings, self._notifier.engine
        held = self._under_way()
        free = settings.webhook_slots - sum(held.values())
        if free <= 0 or not self._open:
            return 0
        claimed = _claim(engine, settings, free, held)
        with self._lock:
            self._held.update(delivery.endpoint_id for delivery in claimed)
        for delivery in claimed:
            sent = asyncio.run_coroutine_threadsafe(
                deliver_event(self._notifier, delivery), self._loop
            )
            sent.add_done_callback(lambda future, one=delivery: self._ended(future, one))  # type: ignore[misc]
        return len(claimed)

    def close(self, grace_s: float) -> None:
        """Begin nothing more; let what is under way end for `grace_s`, the rest is sent again."""
        self._open = False
        waited = threading.Event()
        for _ in range(int(grace_s * 20)):
            if not self._under_way():
                break
            waited.wait(0.05)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(1.0)

    def _under_way(self) -> dict[str, int]:
        """Return a copy: the loop's thread changes the original."""
        with self._lock:
            return dict(self._held)

    def _ended(self, future: "Future[None]", delivery: Claimed) -> None:
        with self._lock:
            self._held[delivery.endpoint_id] -= 1
            if not self._held[delivery.endpoint_id]:
                del self._held[delivery.endpoint_id]
        error = None if future.cancelled() else future.exception()
        if error is not None:  # its lease runs out, and it is sent again
            get_logger(delivery_id=delivery.id).error(
                "webhook_not_settled", error=type(error).__name__, exc_info=error
            )
        self._freed()


def _claim(engine: Engine, settings: Settings, free: int, held: dict[str, int]) -> list[Claimed]:
    with engine.begin() as tx:
        return deliveries.claim(
            tx, free=free, each=settings.webhook_endpoint_slots, held=held,
            lease_s=lease_s(settings),
        )  # fmt: skip
