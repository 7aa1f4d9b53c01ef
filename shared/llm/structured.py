"""Structured output: what to ask an endpoint for, and how to read what it wrote. Pure."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import jsonschema_rs
import orjson

from shared.domain.model_call import CallFailure, Reply
from shared.llm.abilities import Abilities
from shared.llm.strict_subset import sendable_schema

Rung = Literal["json_schema", "json_object", "prompt"]
Validator = Callable[[Any], str | None]  # the first thing wrong with a value, None when it fits

SHOWN = 500  # characters of an error or a wrong value that are shown to the model again
RAW_SHOWN = 4_000  # characters of its own answer that are shown to the model again
MOST_STARTS = 50  # places in an answer where JSON is looked for
SCHEMA_NAME = "answer"

_FENCE = re.compile(r"```[a-zA-Z0-9_-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_BLANK = "\ufeff\u200b\u2060 \t\r\n"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A value that fits; `repaired` when the text around it had to be taken away."""

    value: Any
    repaired: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a text is no usable answer, in words the model can act on."""

    detail: str


def choose_rung(abilities: Abilities, schema: dict[str, Any]) -> Rung:
    """Return the strictest way the endpoint is not known to lack and the schema can be said in."""
    if abilities.json_schema is not False and sendable_schema(schema) is not None:
        return "json_schema"
    return "prompt" if abilities.json_object is False else "json_object"


def lower_rung(rung: Rung, failure: CallFailure) -> Rung | None:
    """Return the next rung when the endpoint refused the form of answer asked for, else None."""
    if failure.kind != "permanent" or rung == "prompt" or not _UNSUPPORTED.search(failure.detail):
        return None
    return "json_object" if rung == "json_schema" else "prompt"


_UNSUPPORTED = re.compile(
    r"response_format|json_schema|json_object|json mode|structured output|guided|grammar|schema",
    re.IGNORECASE,
)


def response_format(rung: Rung, schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return the `response_format` of a request; None on the rung ``prompt``.

    Raises ValueError for ``json_schema`` with a schema that `choose_rung` would not choose it for.
    """
    if rung == "prompt":
        return None
    if rung == "json_object":
        return {"type": "json_object"}
    sendable = sendable_schema(schema)
    if sendable is None:
        raise ValueError("this schema cannot be asked for in strict mode")
    form = {"name": SCHEMA_NAME, "strict": True, "schema": sendable}
    return {"type": "json_schema", "json_schema": form}


def schema_instructions(rung: Rung, schema: dict[str, Any]) -> str:
    """Return what the prompt must say about the form of the answer; empty where the API does."""
    if rung == "json_schema":
        return ""
    text = orjson.dumps(schema).decode()
    return f"Answer with one JSON value and nothing else. It must fit this JSON Schema:\n{text}"


def compile_validator(schema: dict[str, Any]) -> Validator:
    """Return a function that tells what is wrong with a value. It never looks anything up."""
    compiled = jsonschema_rs.validator_for(schema, retriever=_refuse)

    def first_problem(value: Any) -> str | None:
        if compiled.is_valid(value):
            return None
        error = next(iter(compiled.iter_errors(value)))
        where = "/".join(str(step) for step in error.instance_path)
        return f"at /{where}: {error.message}"[:SHOWN]

    return first_problem


def read_structured(reply: Reply | CallFailure, validator: Validator) -> Parsed | CallFailure:
    """Return the value of a call's answer; a text that does not fit is the failure `bad_output`."""
    if isinstance(reply, CallFailure):
        return reply
    found = parse_structured(reply.text or "", validator)
    if isinstance(found, Parsed):
        return found
    return CallFailure(
        "bad_output", found.detail, usage=reply.usage, raw=reply.text, model=reply.model,
        latency_ms=reply.latency_ms, limits=reply.limits,
    )  # fmt: skip


def parse_structured(text: str, validator: Validator) -> Parsed | Problem:
    """Return the JSON value a text holds, or the first thing wrong with it.

    Taken away without asking the model again: a byte order mark, a code fence, a leading
    ``<think>`` part, sentences before and after. Of several values the first that fits counts.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return _repaired(text, validator, f"not JSON: {str(error)[:SHOWN]}")
    problem = validator(value)
    return Parsed(value) if problem is None else Problem(problem)


def repair_messages(raw: str, detail: str) -> list[dict[str, str]]:
    """Return the two messages that show a model its wrong answer and what is wrong with it."""
    shown = raw if len(raw) <= RAW_SHOWN else raw[:RAW_SHOWN] + " [...]"
    wish = (
        f"That answer cannot be used: {detail[:SHOWN]}\n"
        "Answer the same request again, with the corrected JSON and nothing else."
    )
    return [{"role": "assistant", "content": shown or "(empty)"}, {"role": "user", "content": wish}]


def _repaired(text: str, validator: Validator, first: str) -> Parsed | Problem:
    problem = first if text.strip(_BLANK) else "the answer is empty"
    for number, value in enumerate(_values_in(text)):
        wrong = validator(value)
        if wrong is None:
            return Parsed(value, repaired=True)
        if number == 0:
            problem = wrong
    return Problem(problem)


def _values_in(text: str) -> Iterator[Any]:
    """Yield the JSON values of a text: the whole, fenced ones, then whatever opens a bracket."""
    text = _THOUGHT.sub("", text).strip(_BLANK)
    for candidate in (text, *(match.group(1) for match in _FENCE.finditer(text))):
        try:
            yield orjson.loads(candidate)
        except orjson.JSONDecodeError:
            continue
    after = 0
    for _ in range(MOST_STARTS):
        opening = _OPENING.search(text, after)
        if opening is None:
            return
        after = opening.start() + 1
        end = _end_of_value(text, opening.start())
        if end is None:
            continue
        try:
            yield orjson.loads(text[opening.start() : end])
        except orjson.JSONDecodeError:
            continue
        after = end


def _end_of_value(text: str, start: int) -> int | None:
    try:
        return _DECODER.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        return None


_DECODER = json.JSONDecoder()


def _refuse(address: str) -> Any:
    raise ValueError(f"a schema may not refer to {address[:100]}")
