"""The `ask` of one attempt: the worker's model door, bound to a unit and its account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.worker.account import Account
from services.worker.model_door import Caller, ModelDoor
from shared.domain.model_call import Reply


@dataclass(frozen=True, slots=True)
class UnitAsk:
    """Satisfies `shared.capabilities.contract.Ask`; `account` adds up what it cost."""

    door: ModelDoor
    caller: Caller
    account: Account

    async def __call__(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        endpoint: str = "worker",
        **how: Any,
    ) -> Reply:
        """Return a complete answer; raise what ends the attempt. `how` is as in the contract."""
        return await self.door.call(self.caller, self.account, endpoint, messages, **how)

    async def raw(
        self,
        body: Mapping[str, Any],
        *,
        endpoint: str = "worker",
        max_output_tokens: int | None = None,
    ) -> tuple[int, str | None, Any]:
        """Send a ready chat body as is; return (status, request id, decoded body).

        `max_output_tokens` is put into a body that sets no limit of its own.
        """
        return await self.door.raw(
            self.caller, self.account, endpoint, body, max_output_tokens=max_output_tokens
        )

    def context_tokens(self, endpoint: str) -> int:
        """Return how many tokens the endpoint's model takes at most."""
        return self.door.context_tokens(endpoint)
