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

from services.api.problems import Problem
from services.api.wired import wired
from shared.actions.actor import Actor
from shared.actions.keys import hash_of
from shared.database import keys
from shared.database.engine import Engine, SQLAlchemyError
from shared.log import get_logger

_BEARER = re.compile(r"bearer +(apwa_[A-Za-z0-9_-]{43})", re.IGNORECASE)
_NOTED_EVERY_S = 60.0
P = ParamSpec("P")
R = TypeVar("R")


def needs(scope: str | None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a route run only for a live key that has `scope` (None: any live key)."""

    def guard(route: Callable[P, R]) -> Callable[P, R]:
        @wraps(route)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            g.actor = _actor_of_request()
            if scope is not None and not g.actor.may(scope):
                raise Problem(403, "missing_scope", f"This needs a key with the scope {scope}.")
            return route(*args, **kwargs)

        guarded.needs_scope = scope  # type: ignore[attr-defined]
        return guarded

    return guard


def actor() -> Actor:
    """Return who makes the current request."""
    found: Actor = g.actor
    return found


def _actor_of_request() -> Actor:
    """Look the key up by the hash of its secret; the same 401 for every reason."""
    given = _BEARER.fullmatch(request.headers.get("Authorization", "").strip())
    if given is None:
        raise _unauthorized()
    hashed = hash_of(given[1])
    with wired().engine.connect() as connection:
        key = keys.find_live(connection, hashed)
    if key is None or not hmac.compare_digest(key.key_hash, hashed):
        raise _unauthorized()
    wired().note_use(key.id)
    return Actor(key.project_id, key.id, frozenset(key.scopes))


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
