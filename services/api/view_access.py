"""`?token=`: a view token of a job opens what it shows, to readers that can send no header."""

import hmac

from flask import Flask, Response, request

from services.api.problems import Problem, not_found
from services.api.wired import wired
from shared.actions.keys import hash_of
from shared.database import view_tokens
from shared.database.view_tokens import ViewToken

PARAMETER = "token"
SCOPES = frozenset({"jobs:read"})


def is_given() -> bool:
    """Return True when the request comes with a token and no key; a key wins over a token."""
    return PARAMETER in request.args and not request.headers.get("Authorization")


def token_for(job_id: str) -> ViewToken:
    """Return the token of the request; 401 unless it is live, 404 when it is another job's."""
    hashed = hash_of(request.args[PARAMETER][:200])
    with wired().engine.connect() as connection:
        token = view_tokens.find_live(connection, hashed)
    if token is None or not hmac.compare_digest(token.token_hash, hashed):
        detail = "This view token is not valid, or not any more."
        raise Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
    if token.job_id != job_id:
        raise not_found("job")
    return token


def install(app: Flask) -> None:
    """Keep what a token opened out of every cache, the client's own too."""
    app.after_request(_keep_quiet)


def _keep_quiet(response: Response) -> Response:
    if PARAMETER in request.args:
        response.headers["Cache-Control"] = "no-store"
    return response
