"""Every error as RFC 9457 `application/problem+json`, with a stable code and the request's id."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response, g, request
from psycopg.errors import DiskFull
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from services.api.batches.package_error import PREFIX, error_member
from services.api.strict_json import NotJson
from shared.actions.refusals import (
    Conflict,
    FieldProblem,
    Forbidden,
    Gone,
    Later,
    NotFound,
    Refusal,
    Stale,
    WrongState,
)
from shared.database.engine import DBAPIError, PoolTimeout, is_transient
from shared.log import get_logger
from shared.secret_box import SecretsNotConfigured, SecretUnreadable

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate", "Accept-Encoding", "Accept-Post")
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "timeout",
    413: "too_large",
    415: "unsupported_media_type",
    500: "internal",
    503: "unavailable",
}
_STATUSES: tuple[tuple[type[Refusal], int], ...] = (
    (Forbidden, 403), (NotFound, 404), (Conflict, 409), (WrongState, 409), (Gone, 410),
    (Stale, 412), (Later, 429),
)  # fmt: skip


class Problem(Exception):
    """An answer that is an error; raised by routes, rendered by the handlers below."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        problems: Iterable[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.problems, self.headers = list(problems), dict(headers or {})


def invalid(pointer: str, detail: str) -> Problem:
    """Return the 422 of one bad field; query parameters are pointed at as ``/query/NAME``."""
    return Problem(422, "invalid", detail, [FieldProblem(pointer, detail)])


def not_found(what: str) -> Problem:
    """Return the 404 that an unknown id and another project's id have in common."""
    return Problem(404, "not_found", f"There is no such {what}.")


def missing_scope(scope: str) -> Problem:
    """Return 403 for a key that may not do this."""
    return Problem(403, "missing_scope", f"This needs a key with the scope {scope}.")


def install(app: Flask) -> None:
    """Answer whatever is raised in a request with a problem."""
    app.register_error_handler(Problem, _answer)
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(NotJson, _not_json)
    app.register_error_handler(SecretsNotConfigured, _no_secrets)
    app.register_error_handler(SecretUnreadable, _no_secrets)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(PoolTimeout, _database)
    app.register_error_handler(Exception, _surprise)


def _answer(problem: Problem) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:apwa:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": g.get("request_id"),
    }
    if problem.problems:
        body["errors"] = [item.to_json() for item in problem.problems]
    if request.path.startswith(PREFIX):
        body["error"] = error_member(problem.status, problem.code, problem.detail, problem.problems)
    return Response(
        orjson.dumps(_clean(body)), problem.status, problem.headers, content_type=MEDIA_TYPE
    )


def _refusal(refusal: Refusal) -> Response:
    status = next((code for kind, code in _STATUSES if isinstance(refusal, kind)), 422)
    headers = {}
    if isinstance(refusal, Later):
        headers["Retry-After"] = str(refusal.retry_after_s)
    return _answer(Problem(status, refusal.code, refusal.detail, refusal.problems, headers))


def _not_json(error: NotJson) -> Response:
    return _answer(Problem(400, "invalid_json", str(error)))


def _no_secrets(error: SecretsNotConfigured | SecretUnreadable) -> Response:
    """503 until an operator set the keys that seal, or put the old one back beside the new."""
    if isinstance(error, SecretsNotConfigured):
        told = "This needs keys that seal stored secrets; the operator sets APWA_SECRET_KEYS."
        return _answer(Problem(503, "secrets_not_configured", told))
    get_logger().error("secret_unreadable")
    told = "A stored secret was sealed with a key that APWA_SECRET_KEYS no longer has."
    return _answer(Problem(503, "secrets_not_readable", told))


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    detail = error.description or HTTPStatus(status).phrase
    if isinstance(error, RequestEntityTooLarge):
        detail = "The body is larger than this route takes."
    given = error.get_headers()
    headers = {name: value for name, value in given if name in _KEPT_HEADERS}
    return _answer(Problem(status, _CODES.get(status, "http_error"), detail, headers=headers))


def _database(error: DBAPIError | PoolTimeout) -> Response:
    """507 when the disk is full, 503 when Postgres is away or busy, else a surprise."""
    original = getattr(error, "orig", None)
    if isinstance(original, DiskFull):
        get_logger().error("storage_full")
        return _answer(Problem(507, "storage_full", "The database's disk is full."))
    if not is_transient(error):
        return _surprise(error)
    get_logger().warning("database_unavailable", error=type(original or error).__name__)
    detail = "The database does not answer at the moment; try again."
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return _answer(Problem(503, "unavailable", detail, headers=headers))


def _surprise(error: Exception) -> Response:
    """Log a bug of ours with its trace and tell the client nothing of it but the request's id."""
    get_logger().error("request_failed", exc_info=error)
    return _answer(Problem(500, "internal", "Something went wrong on our side."))


def _clean(value: Any) -> Any:
    """Replace what is not UTF-8 (a client's lone surrogate in a name it sent) by a mark."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(item) for name, item in value.items()}
    return value
