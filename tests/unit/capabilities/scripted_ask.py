"""An `ask` that answers from a list, and keeps what it was asked."""

import asyncio
import copy
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.domain.model_call import Reply, ToolCall, Usage

Answer = Reply | Callable[[list[dict[str, Any]]], Reply] | None


class ScriptedAsk:
    """Gives the answers in turn, the last for ever; None never answers."""

    def __init__(self, *answers: Answer, context_tokens: int = 100_000) -> None:
        self._answers = list(answers)
        self._context_tokens = context_tokens
        self.asked: list[dict[str, Any]] = []
        self.sent_raw: list[tuple[dict[str, Any], str]] = []
        self.most_tokens: list[int | None] = []  # put into raw bodies that set no limit

    async def __call__(
        self, messages: Sequence[Mapping[str, Any]], *, endpoint: str = "worker", **how: Any
    ) -> Reply:
        self.asked.append({"messages": copy.deepcopy(list(messages)), "endpoint": endpoint, **how})
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is None:
            await asyncio.Event().wait()
        elif isinstance(answer, Reply):
            return answer
        assert callable(answer)
        return answer(self.asked[-1]["messages"])

    async def raw(
        self,
        body: Mapping[str, Any],
        *,
        endpoint: str = "worker",
        max_output_tokens: int | None = None,
    ) -> tuple[int, str | None, Any]:
        self.most_tokens.append(max_output_tokens)
        self.sent_raw.append((dict(body), endpoint))
        return 200, "req-1", {"choices": []}

    def context_tokens(self, endpoint: str) -> int:
        return self._context_tokens

    def results(self) -> list[str]:
        """Return what the last call told of tools, in order."""
        return [one["content"] for one in self.asked[-1]["messages"] if one["role"] == "tool"]


def says(value: Any, *, tokens: int = 10) -> Reply:
    """Return a reply with a text, or with a value as JSON."""
    text = value if isinstance(value, str) else json.dumps(value)
    return Reply(text, (), "stop", None, Usage(tokens, 0), "fake")


def calls(*tools: tuple[str, Any], tokens: int = 10) -> Reply:
    """Return a reply that asks for tools: pairs of a name and arguments (text is sent as it is)."""
    made = tuple(
        ToolCall(
            f"id{no}", name, arguments if isinstance(arguments, str) else json.dumps(arguments)
        )
        for no, (name, arguments) in enumerate(tools)
    )
    return Reply(None, made, "tool_calls", None, Usage(tokens, 0), "fake")
