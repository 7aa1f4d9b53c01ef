"""Builds the OpenAPI 3.1 document from the operations and their schemas."""

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema

from services.api.operations import OPERATIONS, Operation
from services.api.problems import MEDIA_TYPE
from services.api.routes.health import program_version
from services.api.schemas.answers import ProblemSchema
from services.api.schemas.job_request import Rows
from services.api.schemas.strict import AnyObject, Choice, Flag, Fraction, Named, NotYet
from shared.contracts.plan_fields import WholeNumber

_ABOUT = """Jobs over tables: a goal or a plan goes in, every row becomes a subtask, one accountable
record comes out. Errors are RFC 9457 problems with a stable `code`; lists are
`{"items": [...], "next_cursor": null}`; times are UTC, money is millionths of a US dollar."""
_HEADERS = [
    {
        "name": "X-Request-Id",
        "in": "header",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
        "description": "Echoed; made up when missing.",
    }
]
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The same key and body within 24 hours give the same answer again.",
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
    spec.components.schema("Problem", schema=ProblemSchema)
    for operation in OPERATIONS:
        method = operation.method.lower()
        spec.path(path=operation.path, operations={method: _operation(operation)})
    found: dict[str, Any] = _tidy(spec.to_dict())
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
        (NotYet, "null"),
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


def _tidy(value: Any) -> Any:
    """Write ``{"type": ["null", "null"]}``, which fields that must be null become, as one type."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    tidy = {name: _tidy(item) for name, item in value.items()}
    if tidy.get("type") == ["null", "null"]:
        tidy["type"] = "null"
    return tidy


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [
            *_HEADERS,
            *([_IDEMPOTENCY] if operation.method == "POST" else []),
            *([_if_match(operation)] if operation.if_match else []),
            *operation.path_parameters,
            *operation.query_parameters,
        ],
        "responses": _responses(operation),
    }
    if operation.detail:
        described["description"] = operation.detail
    if operation.scope is None and operation.public:
        described["security"] = []
    elif operation.scope:
        described["security"] = [{"key": [operation.scope]}]
    if operation.body is not None:
        described["requestBody"] = {"required": operation.body_required, "content": operation.body}
    return described


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
    if content:
        good["content"] = content
    found[str(operation.status)] = good
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
