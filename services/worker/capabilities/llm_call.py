"""One structured call: asked, read, and repaired with the error shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.capabilities.contract import Context
from shared.domain.model_call import CallFailure
from shared.llm.retry_policy import MOST_REPAIRS
from shared.llm.structured import (
    Parsed,
    compile_validator,
    parse_structured,
    repair_messages,
)

FIRST_LIMIT = 1_000  # output tokens from which a truncated answer is doubled when none were set


@dataclass(frozen=True, slots=True)
class Answered:
    """A value that fits; `raw` is the model's text where it is not simply that value."""

    value: Any
    raw: str | None = None


class InvalidAnswerError(ValueError):
    """The model kept answering what does not fit; `raw` is its last text."""

    code, outcome = "bad_output", "invalid"

    def __init__(self, detail: str, raw: str) -> None:
        super().__init__(detail)
        self.raw = raw


class TruncatedError(InvalidAnswerError):
    """The answer did not end within its tokens, nor within twice as many."""

    code = "truncated"


async def structured_call(
    context: Context, messages: Sequence[Mapping[str, Any]], schema: dict[str, Any], *,
    accepted: dict[str, Any] | None = None,
) -> Answered:  # fmt: skip
    """Return a value that fits `schema`; at most two repairs and one longer answer are asked for.

    `accepted` is the schema an answer is held against where that is not the one asked for.

    Raises what ends the attempt (see `shared.capabilities.contract`).
    """
    if context.ask is None:
        raise RuntimeError("this process has no model door")
    validator = compile_validator(accepted or schema)
    params, limit, longer = context.params, context.params.get("max_output_tokens"), False
    shown: list[Mapping[str, Any]] = []
    repairs = 0
    while True:
        try:
            reply = await context.ask(
                [*messages, *shown], endpoint=params.get("model", "worker"), schema=schema,
                max_output_tokens=limit, temperature=params.get("temperature"),
            )  # fmt: skip
        except Exception as error:
            failure = getattr(error, "failure", None)
            if not isinstance(failure, CallFailure) or failure.kind != "truncated":
                raise
            if longer:
                raise TruncatedError(failure.detail, failure.raw or "") from error
            limit, longer = 2 * (limit or _used(failure) or FIRST_LIMIT), True
            continue
        found = parse_structured(reply.text or "", validator)
        if isinstance(found, Parsed):
            return Answered(found.value, reply.text if found.repaired or shown else None)
        repairs += 1
        if repairs > MOST_REPAIRS:
            raise InvalidAnswerError(found.detail, reply.text or "")
        shown = list(repair_messages(reply.text or "", found.detail))


def _used(failure: CallFailure) -> int | None:
    return failure.usage.output_tokens if failure.usage else None
