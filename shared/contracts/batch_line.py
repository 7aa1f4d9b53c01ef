"""One line of a batch file: what it asks for, or why it cannot be run. Pure."""

import json
from dataclasses import dataclass
from typing import Any

import orjson

from shared.contracts.json_values import value_findings
from shared.domain.batch import CHAT_URL

LONGEST_CUSTOM_ID = 512
_BOM = "\ufeff"
_SPACE = " \t\r\n"
# Numbers are only skipped: their values are read by who sends the body.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)


@dataclass(frozen=True, slots=True)
class LineProblem:
    """Why a line cannot be run, in the form of the package's `BatchError` (without its line)."""

    code: str
    message: str
    param: str | None = None


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A line as it can be stored: `before`, `body` and `after`, joined, are the line.

    `body` is the text of the request's body as the client wrote it, None with a problem.
    """

    before: str
    body: str | None = None
    after: str = ""
    custom_id: str | None = None
    model: str | None = None
    problem: LineProblem | None = None


def read_line(text: str) -> BatchLine:
    """Return what a line (its end included, if it has one) says."""
    value, problem = _parsed(text)
    if problem is None:
        problem = _problem(value)
    if problem is not None:
        return BatchLine(text, problem=problem)
    try:
        members = _members(text)
    except RecursionError:
        return BatchLine(text, problem=_invalid_json("it is nested too deeply"))
    names = [name for name, _, _ in members]
    if len(set(names)) != len(names):
        return BatchLine(text, problem=_invalid_json("a name appears twice in it"))
    start, end = next((start, end) for name, start, end in members if name == "body")
    return BatchLine(
        text[:start], text[start:end], text[end:], value["custom_id"], value["body"]["model"]
    )


def is_blank(text: str) -> bool:
    """Return True for a line that asks for nothing."""
    return not text.strip(_SPACE + _BOM)


def _parsed(text: str) -> tuple[Any, LineProblem | None]:
    try:
        return orjson.loads(text.removeprefix(_BOM)), None
    except orjson.JSONDecodeError as error:
        return None, _invalid_json(f"{error.msg} (column {error.colno})")


def _problem(value: Any) -> LineProblem | None:
    """Return the first thing wrong with the value of a line."""
    if not isinstance(value, dict):
        return _invalid_json("it is not an object")
    for name in ("custom_id", "method", "url", "body"):
        if value.get(name) is None:
            return LineProblem("missing_required_parameter", f"`{name}` is missing.", name)
    return (
        _custom_id_problem(value["custom_id"])
        or _address_problem(value["method"], value["url"])
        or _body_problem(value["body"])
    )


def _custom_id_problem(custom_id: Any) -> LineProblem | None:
    if (
        isinstance(custom_id, str)
        and 1 <= len(custom_id) <= LONGEST_CUSTOM_ID
        and not value_findings(custom_id)
    ):
        return None
    told = f"`custom_id` is a text of 1 to {LONGEST_CUSTOM_ID} characters without NUL."
    return LineProblem("invalid_custom_id", told, "custom_id")


def _address_problem(method: Any, url: Any) -> LineProblem | None:
    if method != "POST":
        return LineProblem("invalid_method", "`method` is POST.", "method")
    if url != CHAT_URL:
        return LineProblem("invalid_url", f"`url` is {CHAT_URL}; nothing else is offered.", "url")
    return None


def _body_problem(body: Any) -> LineProblem | None:
    if not isinstance(body, dict):
        return LineProblem("invalid_request", "`body` is an object.", "body")
    model, messages = body.get("model"), body.get("messages")
    if not isinstance(model, str) or not model:
        told = "`body.model` names a model."
        return LineProblem("missing_required_parameter", told, "body.model")
    sound = isinstance(messages, list) and all(isinstance(one, dict) for one in messages)
    if not messages or not sound:
        told = "`body.messages` is a list of at least one object."
        return LineProblem("invalid_request", told, "body.messages")
    if body.get("stream"):
        told = "`body.stream` is not possible in a batch; leave it out."
        return LineProblem("invalid_request", told, "body.stream")
    return None


def _members(text: str) -> list[tuple[str, int, int]]:
    """Return (name, start, end) of the values of an object that is known to be JSON."""
    found = []
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = _skip(text, _skip(text, at) + 1)  # past the colon
        _, end = _DECODER.raw_decode(text, start)
        found.append((name, start, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _invalid_json(why: str) -> LineProblem:
    return LineProblem("invalid_json_line", f"This line is not a JSON object of a request: {why}.")
