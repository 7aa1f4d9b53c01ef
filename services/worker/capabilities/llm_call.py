"""One structured call: asked, read, and repaired with the error shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from shared.capabilities.contract import Context
from shared.domain.model_call import CallFailure
from shared.llm.missing_context import (
    ANSWER,
    answer_or_missing,
    may_ask,
    missing_context,
    with_missing_context,
)
from shared.llm.retry_policy import MOST_REPAIRS
from shared.llm.structured import (
    Parsed,
    Validator,
    compile_validator,
    parse_structured,
    repair_messages,
)
from shared.prompts.worker import worker_prefix

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


class MissingContextError(ValueError):
    """The model says that the unit cannot be done without other rows; the text says which."""

    code = "missing_context"

    def __init__(self, detail: str, raw: str | None = None) -> None:
        super().__init__(detail)
        self.raw = raw


@dataclass(frozen=True, slots=True)
class Form:
    """What a unit's answer is asked for in, and what checks it."""

    schema: dict[str, Any]
    fits: Validator
    may_ask: bool  # the output stands in an envelope, in which the model may ask for other rows

    def opened(self, value: Any, raw: str | None = None) -> Any:
        """Return the output of a value that fits; raise MissingContextError where it has none."""
        if not self.may_ask:
            return value
        missing = missing_context(value)
        if missing is not None:
            raise MissingContextError(missing, raw)
        return value[ANSWER]


def form_of(output: dict[str, Any], params: Mapping[str, Any]) -> Form:
    """Return the form of one unit's answer in a stage with these parameters."""
    return _form(orjson.dumps(output), may_ask(params))


def unit_prefix(context: Context, *, packed: bool = False) -> str:
    """Return the beginning of the prompt of one unit, or of several packed ones."""
    return worker_prefix(
        brief=context.brief, instructions=context.instructions or "", packed=packed,
        may_ask=may_ask(context.params),
    )  # fmt: skip


async def unit_call(context: Context, messages: Sequence[Mapping[str, Any]]) -> Answered:
    """Return one unit's answer in the stage's output.

    Raises MissingContextError where the model asks for other rows, and what `structured_call`
    does.
    """
    form = form_of(context.output, context.params)
    answer = await structured_call(context, messages, form.schema, fits=form.fits)
    return Answered(form.opened(answer.value, answer.raw), answer.raw)


async def structured_call(
    context: Context, messages: Sequence[Mapping[str, Any]], schema: dict[str, Any], *,
    fits: Validator | None = None,
) -> Answered:  # fmt: skip
    """Return a value that fits `schema`; at most two repairs and one longer answer are asked for.

    `fits` is what an answer is held against where that is not the schema asked for.

    Raises what ends the attempt (see `shared.capabilities.contract`).
    """
    if context.ask is None:
        raise RuntimeError("this process has no model door")
    validator = fits or _form(orjson.dumps(schema), False).fits
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


@lru_cache(maxsize=256)
def _form(output: bytes, asking: bool) -> Form:
    """Kept by the schema's text, since compiling one for each unit costs more than the rest."""
    schema = orjson.loads(output)
    fits = compile_validator(schema)
    if asking:
        return Form(with_missing_context(schema), answer_or_missing(fits), may_ask=True)
    return Form(schema, fits, may_ask=False)


def _used(failure: CallFailure) -> int | None:
    return failure.usage.output_tokens if failure.usage else None
