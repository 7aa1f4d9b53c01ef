"""Builds the OpenAPI 3.1 document from the operations and their schemas."""

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from services.api.operations import OPERATIONS
from services.api.operations.examples import EXAMPLES, FILES
from services.api.operations.parts import Operation
from services.api.problems import MEDIA_TYPE
from services.api.routes.health import program_version
from services.api.schemas.answers import ProblemSchema
from services.api.schemas.job_request import Rows
from services.api.schemas.strict import AnyObject, Choice, Flag, Fraction, Named
from shared.contracts.plan_fields import WholeNumber

_ABOUT = """Jobs over tables: a goal or a plan goes in, every row becomes a subtask, one accountable
record comes out. Errors are RFC 9457 problems with a stable `code`; lists are
`{"items": [...], "next_cursor": null}`; times are UTC, money is millionths of a US dollar."""
_WITH_EXAMPLE = ("application/json", "*/*")
_HEADERS = [
    {
        "name": "X-Request-Id",
        "in": "header",
        "schema": {"type": "string"},
        "description": "Echoed where it is 1 to 128 letters, digits or `._:-`; else made up.",
    }
]
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The same key and body within 24 hours give the same answer again.",
}
_VIEW_TOKEN = {
    "name": "token",
    "in": "query",
    "schema": {"type": "string"},
    "description": "A view token of this job, for readers without a key.",
}


def document() -> dict[str, Any]:
    """Return the document as JSON value."""
    plugin = MarshmallowPlugin(schema_name_resolver=_name)
    spec = APISpec(
        title="APWA",
        version=program_version(),
        openapi_version="3.1.0",
        info={"description": _ABOUT},
        plugins=[plugin],
        security=[{"key": []}],
    )
    _map_fields(plugin)
    spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    spec.components.security_scheme(
        "view_token", {"type": "apiKey", "in": "query", "name": _VIEW_TOKEN["name"]}
    )
    spec.components.schema("Problem", schema=ProblemSchema)
    for operation in OPERATIONS:
        method = operation.method.lower()
        spec.path(path=operation.path, operations={method: _operation(operation)})
    found: dict[str, Any] = spec.to_dict()
    return found


def _name(schema: Any) -> str:
    known = schema if isinstance(schema, type) else type(schema)
    return known.__name__.removesuffix("Schema")


def _map_fields(plugin: MarshmallowPlugin) -> None:
    converter = plugin.converter
    if converter is None:
        raise LookupError("the plugin is not part of a document yet")
    for field, kind in (
        (WholeNumber, "integer"),
        (Fraction, "number"),
        (Flag, "boolean"),
        (Named, "object"),
        (AnyObject, "object"),
        (Rows, "array"),
    ):
        converter.map_to_openapi_type(field, kind, None)  # type: ignore[no-untyped-call]
    converter.add_attribute_function(_choices)  # type: ignore[no-untyped-call]
    converter.add_attribute_function(_members)  # type: ignore[no-untyped-call]


def _choices(_converter: Any, field: Any, **_: Any) -> dict[str, Any]:
    return {"enum": list(field.now)} if isinstance(field, Choice) else {}


def _members(converter: Any, field: Any, **_: Any) -> dict[str, Any]:
    if isinstance(field, Rows):
        return {"items": {"type": "object"}}
    if not isinstance(field, Named):
        return {}
    return {
        "additionalProperties": converter.field2property(field.member),
        "maxProperties": field.most,
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [
            *_HEADERS,
            *([_IDEMPOTENCY] if operation.takes_idempotency_key else []),
            *([_if_match(operation)] if operation.if_match else []),
            *operation.path_parameters,
            *operation.query_parameters,
            *([_VIEW_TOKEN] if operation.view_token else []),
        ],
        "responses": _responses(operation),
    }
    if operation.detail:
        described["description"] = operation.detail
    if operation.scope is None and operation.public:
        described["security"] = []
    elif operation.scope:
        described["security"] = [{"key": [operation.scope]}]
        if operation.view_token:
            described["security"].append({"view_token": []})
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {kind: _content(operation, kind) for kind in operation.body},
        }
    return described


def _content(operation: Operation, kind: str) -> dict[str, Any]:
    """Return what a media type takes, with an example where there is one."""
    told: dict[str, Any] = (operation.body or {})[kind]
    known = EXAMPLES if kind in _WITH_EXAMPLE else {}
    example = FILES.get((operation.name, kind), known.get(operation.name))
    return told if example is None else {**told, "example": example}


def _if_match(operation: Operation) -> dict[str, Any]:
    return {
        "name": "If-Match",
        "in": "header",
        "required": operation.if_match == "required",
        "schema": {"type": "string"},
        "description": "The ETag of what was read, or `*`.",
    }


def _responses(operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {}
    good: dict[str, Any] = {"description": operation.answer_text}
    content = {"application/json": {"schema": _shape(operation)}} if operation.answer else {}
    content |= {kind: {"schema": {"type": "string"}} for kind in operation.other_types}
    if operation.binary_type:
        content[operation.binary_type] = {"schema": {"type": "string", "format": "binary"}}
    if content:
        good["content"] = content
    found[str(operation.status)] = good
    for status, told in operation.also:
        found[str(status)] = {**good, "description": told}
    problem = {MEDIA_TYPE: {"schema": "Problem"}}
    for status, told in operation.problems:
        found[str(status)] = {"description": told, "content": problem}
    if operation.has_etag:
        found["304"] = {"description": "Unchanged since the ETag of `If-None-Match`."}
    found["default"] = {"description": "Any other problem.", "content": problem}
    return found


def _shape(operation: Operation) -> Any:
    answer: type[Schema] | dict[str, Any] | None = operation.answer
    if not operation.is_list:
        return answer
    properties: dict[str, Any] = {
        "items": {"type": "array", "items": answer},
        "next_cursor": {"type": ["string", "null"]},
    }
    if operation.resumes:
        properties["resume_cursor"] = {
            "type": ["string", "null"],
            "description": "Where rows that come later will follow; null once there are none.",
        }
    return {"type": "object", "properties": properties, "required": list(properties)}
