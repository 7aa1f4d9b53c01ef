"""Loaded by schemathesis itself: puts the seeds into the document, adds a check, keeps a journal.

It runs in the folder of the run: `seeds.json` is read there and `calls.jsonl` written.
"""

import json
from pathlib import Path
from typing import Any

import schemathesis

from services.api.record_body import NDJSON
from shared.tables.media_types import FORMAT_OF_MEDIA_TYPE

_SEEDS: dict[str, dict[str, Any]] = json.loads(Path("seeds.json").read_text())
_JOURNAL = Path("calls.jsonl")
_PROBLEM = "application/problem+json"
_MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}

_FILES = [kind for kind in FORMAT_OF_MEDIA_TYPE if kind.startswith("application/")]
# What has no serializer of its own is never sent: lines go as text, files as bytes.
schemathesis.serializer.alias(
    [kind for kind in _FILES if not kind.endswith(("json", "jsonl", "xml"))],
    "application/octet-stream",
)
schemathesis.serializer.alias(list(NDJSON), "text/plain")


@schemathesis.hook
def before_load_schema(_context: Any, raw_schema: dict[str, Any]) -> None:
    """Give ids that exist as examples; the document itself cannot know them."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            _put_ids(operation)
            _put_members(operation)


def _put_ids(operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    known = {
        **_SEEDS["paths"].get(name, {}),
        **{header: [value] for header, value in _SEEDS["headers"].get(name, {}).items()},
    }
    for parameter in operation.get("parameters", []):
        if values := known.get(parameter["name"]):
            parameter["examples"] = {str(no): {"value": one} for no, one in enumerate(values)}


def _put_members(operation: dict[str, Any]) -> None:
    members = _SEEDS["bodies"].get(operation["operationId"])
    if members:
        content = operation["requestBody"]["content"]["application/json"]
        content["example"] = {**content["example"], **members}


@schemathesis.check
def every_error_is_a_problem(_context: Any, response: Any, case: Any) -> None:
    """RFC 9457, whatever went wrong; an answer to HEAD has no body."""
    if response.status_code < 400 or case.method.upper() == "HEAD":
        return
    [kind] = response.headers["content-type"]
    assert kind == _PROBLEM, f"{response.status_code} as {kind}"
    body = json.loads(response.content)
    assert body.keys() >= _MEMBERS, f"members are missing: {sorted(_MEMBERS - body.keys())}"
    assert body["status"] == response.status_code


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:
    """Note what was answered: a line for each call."""
    operation = case.operation
    line = {
        "operation": operation.label,
        "own_method": case.method.upper() == operation.method.upper(),
        "status": response.status_code,
    }
    with _JOURNAL.open("a") as journal:
        journal.write(f"{json.dumps(line)}\n")
