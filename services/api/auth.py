"""Turns a bearer key into the Actor of the request, and refuses what it may not do."""

import hmac
import queue
import re
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g, request

from services.api import view_access
from services.api.problems import Problem, missing_scope
from services.api.wired import wired
from shared.actions.actor import Actor
from shared.actions.keys import hash_of
from shared.actions.quotas import deployment_quotas, quotas_of
from shared.database import keys, view_tokens
from shared.database.engine import DBAPIError, Engine, PoolTimeout, SQLAlchemyError, is_transient
from shared.log import get_logger

_BEARER = re.compile(r"bearer +(apwa_[A-Za-z0-9_-]{43})", re.IGNORECASE)
_NOTED_EVERY_S = 60.0
P = ParamSpec("P")
R = TypeVar("R")


def needs(
    scope: str | None, *, or_view_token: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a route run only for a live key that has `scope` (None: any live key).

    `or_view_token`: a view token of the job in the path (`job_id`) will do as well.
    """

    def guard(route: Callable[P, R]) -> Callable[P, R]:
        @wraps(route)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if or_view_token and view_access.is_given():
                g.actor = _viewer(str(kwargs["job_id"]))
            else:
                g.actor = _actor_of_request()
            if scope is not None and not g.actor.may(scope):
                raise missing_scope(scope)
            return route(*args, **kwargs)

        guarded.needs_scope = scope  # type: ignore[attr-defined]
        return guarded

    return guard


def actor() -> Actor:
    """Return who makes the current request."""
    found: Actor = g.actor
    return found


def still_valid() -> Callable[[], bool]:
    """Return a look, for long answers, at whether what opened this request opens it still."""
    engine, look = wired().engine, g.still_valid

    def again() -> bool:
        try:
            with engine.connect() as connection:
                return bool(look(connection))
        except (DBAPIError, PoolTimeout) as error:
            if not is_transient(error):
                raise
            return True

    return again


def _actor_of_request() -> Actor:
    """Look the key up by the hash of its secret; the same 401 for every reason."""
    given = _BEARER.fullmatch(request.headers.get("Authorization", "").strip())
    if given is None:
        raise _unauthorized()
    hashed = hash_of(given[1])
    with wired().engine.connect() as connection:
        found = keys.find_live(connection, hashed)
    if found is None or not hmac.compare_digest(found.matched, hashed):
        raise _unauthorized()
    key = found.key
    _count_request(found)
    wired().note_use(key.id)
    g.still_valid = lambda connection: keys.find_live(connection, hashed) is not None
    return Actor(key.project_id, key.id, frozenset(key.scopes))


def _viewer(job_id: str) -> Actor:
    """Return who may read this one job: whoever has a view token of it."""
    token, settings = view_access.token_for(job_id), wired().settings
    with wired().engine.connect() as connection:
        of_project = quotas_of(connection, settings, token.project_id).requests_per_minute
    _count(token.id, settings.quota_key_requests_per_minute, token.project_id, of_project)
    g.still_valid = lambda connection: (
        view_tokens.find_live(connection, token.token_hash) is not None
    )
    return Actor(token.project_id, token.key_id, view_access.SCOPES)


def _count_request(found: keys.LiveKey) -> None:
    settings, key = wired().settings, found.key
    of_key = key.requests_per_minute
    quotas = deployment_quotas(settings).with_own(found.project_quotas)
    _count(
        key.id,
        settings.quota_key_requests_per_minute if of_key is None else of_key,
        key.project_id,
        quotas.requests_per_minute,
    )


def _count(key_id: str, of_key: int, project_id: str, of_project: int) -> None:
    """Answer 429 where the key (or view token), or its project, asks more often than it may."""
    wait_s = wired().rates.take({key_id: of_key, project_id: of_project})
    if wait_s is not None:
        raise Problem(
            429,
            "rate_limited",
            f"Too many requests: {of_key or 'any number'} a minute are allowed for this "
            f"key, {of_project or 'any number'} for its project. Wait {wait_s} s.",
            headers={"Retry-After": str(wait_s)},
        )


def _unauthorized() -> Problem:
    return Problem(
        401,
        "unauthorized",
        "Send a valid key as `Authorization: Bearer apwa_...`.",
        headers={"WWW-Authenticate": "Bearer"},
    )


class UseNotes:
    """Writes down when keys were last used, on a thread of its own, once a minute per key."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._noted: dict[str, float] = {}
        self._waiting: queue.Queue[str | None] = queue.Queue(1_000)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def note(self, key_id: str) -> None:
        """Remember the use; never blocks on the database, drops the note when far behind."""
        now = time.monotonic()
        with self._lock:
            if now - self._noted.get(key_id, -_NOTED_EVERY_S) < _NOTED_EVERY_S:
                return
            self._noted[key_id] = now
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="key-use", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(key_id)
        except queue.Full:
            return

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what waits, for at most `timeout_s` seconds."""
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _write(self) -> None:
        while (key_id := self._waiting.get()) is not None:
            try:
                with self._engine.begin() as connection:
                    keys.note_use(connection, key_id)
            except SQLAlchemyError as error:
                get_logger().warning("key_use_not_noted", error=type(error).__name__)
