"""What an agent did, call by call; kept as the raw record of its attempt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from shared.capabilities.contract import Ask
from shared.domain.model_call import Reply

KEPT_CHARS = 2_000  # of arguments, results and texts
SHORTER = (KEPT_CHARS, 500, 100, 0)  # what is tried until the whole record fits
RECORD_CHARS = 90_000  # of the whole record: a longer one would be cut, and be no JSON
WHAT_CHARS = 300


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One call of a tool. `result` is what the model was shown, without the marks.

    `ended` is ``ok``, ``error`` (the tool ran and failed), ``refused`` (not on the list, or no
    room left) or ``unread`` (its arguments are no JSON object). `what` tells a reader what was
    looked at.
    """

    tool: str
    arguments: str
    ended: str
    result: str
    what: str = ""


@dataclass(slots=True)
class Transcript:
    """Steps in order: calls of the model with what they took, and the tools each asked for."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    uses: list[ToolUse] = field(default_factory=list)
    tokens: int = 0
    ending: str = "answered"  # or the limit that was reached, or ``form``: its text did not fit

    def note_reply(self, reply: Reply) -> None:
        """Keep a call of the model."""
        self.tokens += reply.usage.input_tokens + reply.usage.output_tokens
        self.steps.append(
            {
                "text": (reply.text or "")[:KEPT_CHARS],
                "input_tokens": reply.usage.input_tokens,
                "output_tokens": reply.usage.output_tokens,
                "model": reply.model,
                "tools": [],
            }
        )

    def note_use(self, use: ToolUse) -> None:
        """Keep a call of a tool with the step that asked for it."""
        self.uses.append(use)
        self.steps[-1]["tools"].append(
            {
                "tool": use.tool[:100],
                "arguments": use.arguments[:KEPT_CHARS],
                "ended": use.ended,
                "result": use.result[:KEPT_CHARS],
            }
        )

    def sources(self) -> list[dict[str, str]]:
        """Return what was looked at successfully, each once, in order."""
        # no column can hold a NUL, and a model may write one into its arguments
        seen = [(use.tool, use.what.replace("\0", "")[:WHAT_CHARS]) for use in self._good()]
        return [{"tool": tool, "what": what} for tool, what in dict.fromkeys(seen)]

    def to_json(self) -> str:
        """Return the record as JSON text of at most `RECORD_CHARS` characters, texts clipped."""
        text = ""
        for kept in SHORTER:
            steps = [_shortened(step, kept) for step in self.steps]
            record = {"ending": self.ending, "tokens": self.tokens, "steps": steps}
            text = orjson.dumps(record).decode()
            if len(text) <= RECORD_CHARS:
                break
        return text

    def _good(self) -> list[ToolUse]:
        return [use for use in self.uses if use.ended == "ok"]


def _shortened(step: dict[str, Any], kept: int) -> dict[str, Any]:
    tools = [
        {**use, "arguments": use["arguments"][:kept], "result": use["result"][:kept]}
        for use in step["tools"]
    ]
    return {**step, "text": step["text"][:kept], "tools": tools}


@dataclass(frozen=True, slots=True)
class NotedAsk:
    """An `Ask` that keeps every reply in the transcript."""

    ask: Ask
    transcript: Transcript

    async def __call__(self, messages: Sequence[Mapping[str, Any]], **how: Any) -> Reply:
        """Return what the door returns; `how` is as in the contract."""
        reply = await self.ask(messages, **how)
        self.transcript.note_reply(reply)
        return reply

    async def raw(self, body: Mapping[str, Any], **how: Any) -> tuple[int, str | None, Any]:
        """Pass on to the door."""
        return await self.ask.raw(body, **how)

    def context_tokens(self, endpoint: str) -> int:
        """Pass on to the door."""
        return self.ask.context_tokens(endpoint)
