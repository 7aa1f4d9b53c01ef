"""The messages of one agent: its unit as data, what it asked its tools, what they returned."""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.worker.capabilities.agent_toolbox import readable
from services.worker.capabilities.agent_transcript import ToolUse
from shared.capabilities.contract import Context, Unit
from shared.domain.model_call import Reply, ToolCall
from shared.llm.missing_context import may_ask
from shared.llm.structured import schema_instructions
from shared.llm.tokens import estimate_messages, estimate_tokens_of_bytes
from shared.prompts.marking import marked
from shared.prompts.worker import worker_messages, worker_prefix

ROWS_CHARS = 40_000  # of a unit no template shows; tools see all of it
NO_MORE_TOOLS = "No more tools can be used. Answer now, with what you have, in the form asked for."
DROPPED = "(taken out to make room)"
MOST_CALLS_KEPT = 64  # of one reply
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(slots=True)
class Talk:
    """Messages in the form of the chat API; grows by whole steps, never by half ones."""

    messages: list[dict[str, Any]]
    definitions: list[dict[str, Any]]
    calls: int = 0
    open_ids: list[str] = field(default_factory=list)  # calls the tools have not answered yet
    used_ids: set[str] = field(default_factory=set)

    @staticmethod
    def begin(
        unit: Unit, context: Context, schema: dict[str, Any], definitions: list[dict[str, Any]]
    ) -> "Talk":
        """Return the talk before its first step: what is alike for all units comes first."""
        prefix = worker_prefix(
            brief=context.brief,
            instructions=context.instructions or "",
            answer=schema_instructions("prompt", schema),
            agent=True,
            may_ask=may_ask(context.params),
        )
        data = _rows_as_data(unit) if context.prompt is None else context.prompt
        return Talk([*worker_messages(prefix, data)], definitions)

    def add_calls(self, reply: Reply) -> tuple[ToolCall, ...]:
        """Add what the model asked for; return the calls that now have to be answered in order.

        Names and arguments are made such that no server stumbles over them when they are sent
        back. An id stays as the server gave it, since some take no other form than their own;
        one that is missing, odd or used before is replaced.
        """
        calls = reply.tool_calls[:MOST_CALLS_KEPT]
        sent = []
        for call in calls:
            self.calls += 1
            name = _NOT_IN_NAMES.sub("_", call.name)[:64] or "unnamed"
            arguments = (call.arguments or "{}") if readable(call.arguments) else "{}"
            self.open_ids.append(self._id(call))
            function = {"name": name, "arguments": arguments}
            sent.append({"id": self.open_ids[-1], "type": "function", "function": function})
        self.messages.append({"role": "assistant", "content": reply.text, "tool_calls": sent})
        return calls

    def add_result(self, use: ToolUse) -> None:
        """Answer the first open call; what a tool returns is data like the unit itself."""
        self._answer(f"{use.ended}\n{marked(use.result)}")

    def end(self, text: str | None) -> None:
        """Close what is open and ask for the answer; `text` is one the model gave unfit."""
        while self.open_ids:
            self._answer("not run: there is no room left")
        if text:
            self.messages.append({"role": "assistant", "content": text})
        self.messages.append({"role": "user", "content": NO_MORE_TOOLS})

    def tokens(self) -> int:
        """Return about how many tokens the next call sends."""
        sent = estimate_messages(self.messages)
        asked = [one["tool_calls"] for one in self.messages if "tool_calls" in one]
        return sent + estimate_tokens_of_bytes(orjson.dumps([self.definitions, asked]))

    def shrink(self, most_tokens: int) -> None:
        """Take out results of tools, the oldest first, until the messages fit."""
        for message in self.messages:
            if self.tokens() <= most_tokens:
                return
            if message["role"] == "tool":
                message["content"] = DROPPED

    def _id(self, call: ToolCall) -> str:
        made, number = call.id, self.calls
        while made in self.used_ids or not _ID.fullmatch(made):
            made, number = f"call_{number}", number + 1
        self.used_ids.add(made)
        return made

    def _answer(self, content: str) -> None:
        tool_call_id = self.open_ids.pop(0)
        self.messages.append({"role": "tool", "tool_call_id": tool_call_id, "content": content})


def _rows_as_data(unit: Unit) -> str:
    text = orjson.dumps(unit.rows).decode()
    more = len(text) - ROWS_CHARS
    return text if more <= 0 else f"{text[:ROWS_CHARS]} [... {more} more characters]"
