"""What an operation of the interface is, and the parts many share."""

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema

from services.api.formats import MEDIA_TYPES

Parameters = tuple[dict[str, Any], ...]


def query(name: str, told: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a query parameter; text when its schema is silent."""
    return {
        "name": name,
        "in": "query",
        "schema": schema or {"type": "string"},
        "description": told,
    }


def choice(*values: str) -> dict[str, Any]:
    """Return the schema of one of these values."""
    return {"type": "string", "enum": list(values)}


LIMIT = query(
    "limit", "Items of a page.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50}
)
PAGE: Parameters = (LIMIT, query("cursor", "`next_cursor` of the page before."))
FORMAT = query("format", "Wins over `Accept`; pages are for json.", choice(*MEDIA_TYPES))
STREAMS = tuple(kind for name, kind in MEDIA_TYPES.items() if name != "json")
INVALID = (422, "A field or parameter is not valid; `errors` says which.")
KEY = (
    (401, "No valid key."),
    (403, "The key lacks the scope."),
    (429, "The key or its project asks too often; come back after `Retry-After`."),
)
JSON_BODY = (
    (400, "Not JSON."),
    (413, "Larger than this route takes."),
    (415, "Another media type or coding."),
)
NOT_FOUND = (404, "No such object in the key's project.")
BINARY = {"schema": {"type": "string", "format": "binary"}}


def json_or_files(schema: type[Schema]) -> dict[str, Any]:
    """Return the body that is JSON, or a part `job` with it and a file for each input."""
    form = {
        "type": "object",
        "properties": {"job": schema},
        "required": ["job"],
        "additionalProperties": BINARY["schema"],
    }
    return {"application/json": {"schema": schema}, "multipart/form-data": {"schema": form}}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `scope` None: any key; `public`: no key either."""

    name: str
    method: str
    path: str
    tag: str
    summary: str
    scope: str | None = None
    public: bool = False
    status: int = 200
    answer: type[Schema] | dict[str, Any] | None = None
    answer_text: str = "OK"
    also: tuple[tuple[int, str], ...] = ()  # other good statuses, with the same shape
    is_list: bool = False
    resumes: bool = False
    has_etag: bool = False
    stores: bool = True  # False: a POST that leaves nothing, so takes no `Idempotency-Key`
    if_match: str = ""  # "required" or "optional"
    other_types: tuple[str, ...] = ()
    binary_type: str = ""  # of an answer that is a file and nothing else
    view_token: bool = False  # a view token of the job will do instead of a key
    query_parameters: Parameters = ()
    body: dict[str, Any] | None = None
    body_required: bool = True
    problems: tuple[tuple[int, str], ...] = ()
    detail: str = ""

    @property
    def takes_idempotency_key(self) -> bool:
        """Whether the same key and body give the same answer again."""
        return self.method == "POST" and self.stores and not self.public

    @property
    def path_parameters(self) -> Parameters:
        """The ids in the path."""
        return tuple(
            {"name": part[1:-1], "in": "path", "required": True, "schema": {"type": "string"}}
            for part in self.path.split("/")
            if part.startswith("{")
        )


READ = (*KEY, NOT_FOUND, INVALID)
NO_FIELDS = {"application/json": {"schema": {"type": "object", "maxProperties": 0}}}
STALE = (412, "It has changed since it was read.")
DELETED = (410, "The job was deleted.")
MATCH = (STALE, (428, "`If-Match` is missing."))
