"""A notifier in this process: the test says when it looks and what receivers answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Engine

from services.notifier.batch_news import batch_news
from services.notifier.deliver_event import Notifier, deliver_event, lease_s
from shared.database import deliveries
from shared.database.deliveries import Claimed
from shared.net.guard import Checked, Guard
from shared.net.refused import WebError
from shared.net.web_request import WebAnswer, WebRequest
from shared.secret_box import SecretBox
from shared.settings import Settings

ADDRESS = "203.113.0.7"


async def somewhere(host: str, port: int) -> list[str]:
    """Every name leads to one public address; nothing is ever connected to."""
    return [ADDRESS]


@dataclass
class Desk:
    """Claims and sends in turn; `answers` are given one after the other, then 200 for ever."""

    engine: Engine
    settings: Settings
    answers: list[int | WebAnswer | WebError] = field(default_factory=list)
    sent: list[WebRequest] = field(default_factory=list)

    def claim(self, free: int = 100, held: Mapping[str, int] | None = None) -> list[Claimed]:
        """Take what is due, as a notifier would."""
        with self.engine.begin() as tx:
            return deliveries.claim(
                tx, free=free, each=self.settings.webhook_endpoint_slots, held=held or {},
                lease_s=lease_s(self.settings),
            )  # fmt: skip

    def send(self, claimed: Claimed) -> None:
        """Send one and settle it."""
        notifier = Notifier(
            self.engine, self.settings, Guard(resolve=somewhere),
            SecretBox(self.settings.secret_keys), self._wire, luck=lambda: 0.5,
        )  # fmt: skip
        asyncio.run(deliver_event(notifier, claimed))

    def work(self) -> int:
        """Make batches, then send everything that is due now; return how many were sent."""
        batch_news(self.engine, self.settings.webhook_batch_s)
        before = len(self.sent)
        while found := self.claim():
            for one in found:
                self.send(one)
        return len(self.sent) - before

    def bodies(self) -> list[bytes]:
        return [request.body or b"" for request in self.sent]

    async def _wire(self, request: WebRequest, to: Checked, guard: Guard) -> WebAnswer:
        assert to.ips == (ADDRESS,)
        self.sent.append(request)
        answer: Any = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, WebError):
            raise answer
        return answer if isinstance(answer, WebAnswer) else WebAnswer(request.url, answer, {}, b"")


def desk_settings(settings: Settings, **more: Any) -> Settings:
    """Settings whose retries are all due at once."""
    known: dict[str, Any] = {
        "secret_keys": "a key of these tests that seals nothing",
        "webhook_retries_s": "0,0,0",
        "webhook_batch_s": 0.05,
    }
    return replace(settings, **{**known, **more})
