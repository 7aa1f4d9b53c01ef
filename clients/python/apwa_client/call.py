"""One request as a value: made once, sent as often as it takes, by either transport."""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from apwa_client.bodies import (
    Body,
    bytes_body,
    file_body,
    json_body,
    path_text,
    query_text,
)
from apwa_client.operations import Operation, operation_named

JSON_ONLY = "application/json"
ANY_ANSWER = "application/json, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class Call:
    """A request. The idempotency key is part of it, so every try carries the same one."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    tells: bool = False
    read_timeout_s: float | None = None

    @property
    def repeatable(self) -> bool:
        """True when sent twice it has the effect of one.

        A change made for what was read (`If-Match`) is not: its second try would be stale.
        """
        if self.method == "POST":
            return "Idempotency-Key" in self.headers
        return self.method != "PATCH" and "If-Match" not in self.headers


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """Return the body; None for an empty one."""
        return json.loads(self.content) if self.content else None

    def value(self) -> Any:
        """Return JSON as Python, and any other body as bytes."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip()
        is_json = kind == JSON_ONLY or kind.endswith("+json")
        return self.json() if is_json or not self.content else self.content

    @property
    def etag(self) -> str | None:
        """The entity tag, as `If-Match` takes it."""
        return self.headers.get("etag")


def call_of(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    body: Any = None,
    if_match: str | None = None,
    if_none_match: str | None = None,
    idempotency_key: str | None = None,
    accept: str = ANY_ANSWER,
    headers: Mapping[str, str] | None = None,
    read_timeout_s: float | None = None,
) -> Call:
    """Return the request of an operation; parameters that are not in its path go to the query.

    `body`: a dict or list is sent as JSON, bytes and files as they are, a Body with its type.
    """
    operation, given = operation_named(name), dict(parameters or {})
    sent = _body(body)
    wanted = {
        "Accept": accept,
        "If-Match": if_match,
        "If-None-Match": if_none_match,
        "Idempotency-Key": _key(operation, idempotency_key),
        "Content-Type": sent.content_type if sent else None,
        "Content-Length": str(sent.length) if sent else None,
        **(headers or {}),
    }
    return Call(
        operation.method,
        _target(operation, given),
        {header: value for header, value in wanted.items() if value is not None},
        sent,
        operation.tells,
        read_timeout_s,
    )


def _key(operation: Operation, given: str | None) -> str | None:
    if operation.method != "POST":
        return None
    return given or str(uuid.uuid4())


def _target(operation: Operation, given: dict[str, Any]) -> str:
    missing = [name for name in operation.path_parameters if given.get(name) is None]
    if missing:
        raise ValueError(f"{operation.name} needs {', '.join(missing)}")
    path = operation.path
    for name in operation.path_parameters:
        path = path.replace(f"{{{name}}}", path_text(given.pop(name)))
    query = urlencode(query_text(given))
    return f"{path}?{query}" if query else path


def _body(given: Any) -> Body | None:
    if given is None or isinstance(given, Body):
        return given
    if isinstance(given, bytes):
        return bytes_body(given)
    if isinstance(given, os.PathLike):
        return file_body(Path(given))
    return json_body(given)
