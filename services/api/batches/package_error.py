"""The member `error` of a problem, which the openai package makes its exceptions of: pure."""

from collections.abc import Sequence
from typing import Any

from shared.actions.refusals import FieldProblem

PREFIX = "/openai/"
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def error_member(
    status: int, code: str, detail: str, problems: Sequence[FieldProblem]
) -> dict[str, Any]:
    """Return ``{message, type, code, param}``; `param` names the first bad field with dots."""
    told = [detail, *(item.detail for item in problems if item.detail != detail)]
    other = "server_error" if status >= 500 else "invalid_request_error"
    return {
        "message": " ".join(told[:5]),
        "type": _TYPES.get(status, other),
        "code": code,
        "param": _param(problems[0].pointer) if problems else None,
    }


def _param(pointer: str) -> str | None:
    """Return ``/metadata/a`` as ``metadata.a``, ``/query/limit`` as ``limit``."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    if parts[:1] in (["query"], ["headers"]):
        parts = parts[1:]
    return ".".join(parts) or None
