"""How far an agent may go before it has to answer: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.capabilities.builtin.agent import DEFAULT_STEPS, DEFAULT_TOKENS, DEFAULT_TOOL_CALLS

# of the unit's time; the rest is for the answer itself
LONGEST_SHARE = 0.75
# of what the model takes; the rest is for its answer, and for estimates that were too low
FULLEST_SHARE = 0.7

Reached = Literal["max_steps", "max_tool_calls", "max_tokens", "max_seconds", "context_full"]


@dataclass(frozen=True, slots=True)
class AgentLimits:
    """Counts of one attempt; `seconds` run from its start, `tokens` are of all calls together."""

    steps: int
    tool_calls: int
    tokens: int
    seconds: float

    @staticmethod
    def of(params: Mapping[str, Any], timeout_s: float) -> "AgentLimits":
        """Return the limits a stage sets, within the time of the unit."""
        longest = LONGEST_SHARE * timeout_s
        return AgentLimits(
            params.get("max_steps", DEFAULT_STEPS),
            params.get("max_tool_calls", DEFAULT_TOOL_CALLS),
            params.get("max_tokens", DEFAULT_TOKENS),
            min(params.get("max_seconds", longest), longest),
        )

    def reached(
        self, *, steps: int, tool_calls: int, tokens: int, next_tokens: int, context_tokens: int
    ) -> Reached | None:
        """Return the limit that forbids another step; None while there is room.

        `tokens` were used so far, `next_tokens` is what the next call is expected to take. Room
        for the answer is kept, so its call is about what makes `max_tokens` full.
        """
        if steps >= self.steps:
            return "max_steps"
        if tool_calls >= self.tool_calls:
            return "max_tool_calls"
        if tokens + 2 * next_tokens > self.tokens:
            return "max_tokens"
        if next_tokens > FULLEST_SHARE * context_tokens:
            return "context_full"
        return None
