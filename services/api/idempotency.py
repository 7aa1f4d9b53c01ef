"""`Idempotency-Key`: one key, one object, the same answer again for 24 hours."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, request

from services.api.answers import answer
from services.api.auth import actor
from services.api.problems import Problem
from services.api.wired import wired
from shared.actions.refusals import FieldProblem
from shared.database import idempotency
from shared.database.engine import Connection
from shared.database.idempotency import StoredAnswer
from shared.secret_box import SecretBox, SecretsNotConfigured, SecretUnreadable

HEADER = "Idempotency-Key"
MAX_CHARS = 255
_VISIBLE = re.compile(r"[\x20-\x7e]+")


class KeyTaken(Exception):
    """Another request with this key was answered while this one worked."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a route answers when it did its work."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


Remember = Callable[[Connection, int, Mapping[str, Any], str | None], None]


def once(
    fingerprint: bytes, work: Callable[[Remember], Given], *, sealed: str | None = None
) -> Response:
    """Do `work` once per key and answer it; `work` calls `remember` inside its transaction.

    `fingerprint` stands for the body. 409 while the key is in flight, 422 for another body.
    `sealed` names a field of the answer that is kept sealed; where nothing can be
    sealed (no `APWA_SECRET_KEYS`), the same answer given again has null in its place.
    """
    key = _key_of_request()
    if key is None:
        return _respond(work(_forget))
    project_id, request_hash = actor().project_id, _hash(fingerprint)
    with wired().in_flight.hold(project_id, key) as free:
        if not free:
            raise _in_flight()
        stored = _stored(project_id, key)
        if stored is not None:
            return _replay(stored, request_hash, sealed)
        try:
            return _respond(work(_rememberer(project_id, key, request_hash, sealed)))
        except KeyTaken:
            stored = _stored(project_id, key)
            if stored is None:
                raise _in_flight() from None
            return _replay(stored, request_hash, sealed)


def _rememberer(project_id: str, key: str, request_hash: str, sealed: str | None) -> Remember:
    def remember(
        connection: Connection, status: int, body: Mapping[str, Any], location: str | None
    ) -> None:
        stored = StoredAnswer(request_hash, status, location, _sealed(dict(body), sealed))
        if not idempotency.take(connection, project_id, key):
            raise _in_flight()
        if not idempotency.insert(connection, project_id, key, stored):
            raise KeyTaken

    return remember


def _forget(
    _connection: Connection, _status: int, _body: Mapping[str, Any], _location: str | None
) -> None:
    """Stand in for `remember` where the client sent no key."""


def _key_of_request() -> str | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if len(key) > MAX_CHARS or not _VISIBLE.fullmatch(key):
        detail = f"{HEADER} is 1 to {MAX_CHARS} visible ASCII characters."
        raise Problem(422, "invalid", detail, [FieldProblem(f"/headers/{HEADER}", detail)])
    return key


def _hash(fingerprint: bytes) -> str:
    what = f"{request.method} {request.path}?{request.query_string.decode('latin-1')}\n"
    return hashlib.sha256(what.encode() + fingerprint).hexdigest()


def _stored(project_id: str, key: str) -> StoredAnswer | None:
    with wired().engine.connect() as connection:
        return idempotency.find(connection, project_id, key)


def _replay(stored: StoredAnswer, request_hash: str, sealed: str | None) -> Response:
    if stored.request_hash != request_hash:
        raise Problem(
            422,
            "idempotency_key_reused",
            f"This {HEADER} was used for another request; use a new one.",
            [FieldProblem(f"/headers/{HEADER}", "Used for another request.")],
        )
    headers = {"Idempotency-Replayed": "true"}
    if stored.location:
        headers["Location"] = stored.location
    return answer(_opened(stored.body, sealed), stored.status, headers)


def _sealed(body: dict[str, Any], name: str | None) -> dict[str, Any]:
    if name is None:
        return body
    try:
        kept = SecretBox(wired().settings.secret_keys).seal(body[name])
    except SecretsNotConfigured:
        kept = None
    return {**body, name: kept}


def _opened(body: dict[str, Any], name: str | None) -> dict[str, Any]:
    if name is None or body.get(name) is None:
        return body
    try:
        return {**body, name: SecretBox(wired().settings.secret_keys).open(body[name])}
    except (SecretsNotConfigured, SecretUnreadable):
        return {**body, name: None}


def _respond(given: Given) -> Response:
    return answer(given.body, given.status, given.headers)


def _in_flight() -> Problem:
    return Problem(
        409,
        "idempotency_in_flight",
        f"A request with this {HEADER} is being answered; try again.",
        headers={"Retry-After": "1"},
    )
