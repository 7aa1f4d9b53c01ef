"""What one call of a model came to: a reply, or one of a closed set of failures."""

from dataclasses import dataclass
from typing import Literal, get_args

FailureKind = Literal[
    "rate_limited",  # 429: the slot is freed, nobody calls before `retry_after_s`
    "quota",  # the account is out of credit: the job pauses
    "overloaded",  # 5xx, 529, 408, 409, 425, no connection, TLS: later, or the fallback
    "permanent",  # 400, 401, 403, 404 and the like: the same request fails again
    "context_overflow",  # the prompt is longer than the model takes
    "deadline",  # no complete answer in time: hang before headers, mid-body, drip
    "truncated",  # finish_reason length
    "refused",  # the model's refusal, or a content filter of the provider
    "bad_output",  # the text is no JSON, or JSON of another shape
    "bad_response",  # HTTP says 200, but this is no chat completion
    "too_large",  # the answer is larger than is read, packed or unpacked
    "redirect",  # never followed: the key would travel along
]
FAILURE_KINDS: tuple[str, ...] = get_args(FailureKind)
Scope = Literal["unit", "endpoint", "job"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]

# Codes of units whose ready body was refused, by us or by the endpoint: no sign of anything else.
ANSWER_NOT_OK = "answer_not_ok"
OF_THE_BODY = frozenset(
    {ANSWER_NOT_OK, "chat_body_invalid", "too_many_tokens", "model_not_allowed"}
)
# Answers that say more of the endpoint's key or model than of the request.
OF_ENDPOINT_STATUS = frozenset({401, 403, 404})
_UNBURNT = frozenset({"rate_limited", "quota", "overloaded"})
_OF_ENDPOINT = frozenset({"rate_limited", "overloaded", "redirect"})


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; `cached_tokens` is the part of the input the provider had cached.

    `estimated` when the provider told none and they were guessed from the sizes.
    """

    input_tokens: int
    output_tokens: int
    estimated: bool = False
    cached_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.estimated or other.estimated,
            self.cached_tokens + other.cached_tokens,
        )


@dataclass(frozen=True, slots=True)
class LimitHints:
    """What an endpoint told about its limits; None where it was silent.

    `limit` is per minute where the provider says so; `reset_s` are seconds until the measure is
    full again.
    """

    requests_limit: int | None = None
    requests_remaining: int | None = None
    requests_reset_s: float | None = None
    tokens_limit: int | None = None
    tokens_remaining: int | None = None
    tokens_reset_s: float | None = None
    input_tokens_limit: int | None = None
    input_tokens_remaining: int | None = None
    output_tokens_limit: int | None = None
    output_tokens_remaining: int | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool the model wants called; `arguments` is its JSON text, unchecked."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer: neither truncated nor refused; those are failures.

    `text` is None only beside tool calls. `model` is what the endpoint says it used.
    """

    text: str | None
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    refusal: str | None
    usage: Usage
    model: str
    latency_ms: int = 0
    limits: LimitHints | None = None


@dataclass(frozen=True, slots=True)
class CallFailure:
    """Why a call gave no usable answer.

    `usage` is what the failed call is known to have cost (None: unknown, or nothing), `raw` the
    text of an answer that was read but is not usable. `retry_after_s` is the provider's word.
    """

    kind: FailureKind
    detail: str
    status: int | None = None
    retry_after_s: float | None = None
    usage: Usage | None = None
    raw: str | None = None
    model: str | None = None
    latency_ms: int = 0
    limits: LimitHints | None = None

    @property
    def burns_attempt(self) -> bool:
        """False where the unit is not to blame: the try does not count."""
        return self.kind not in _UNBURNT

    @property
    def scope(self) -> Scope:
        """Whom it concerns: this unit, every call to the endpoint, or the job."""
        if self.kind == "quota":
            return "job"
        if self.kind in _OF_ENDPOINT:
            return "endpoint"
        if self.kind == "permanent" and self.status in OF_ENDPOINT_STATUS:
            return "endpoint"
        return "unit"
