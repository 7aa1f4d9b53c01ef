"""Answers that are written while they are read: none ends early and looks whole."""

from collections.abc import Iterator
from itertools import chain
from typing import TypeVar

from shared.actions.refusals import Gone
from shared.database import jobs
from shared.database.engine import Engine

T = TypeVar("T")


def begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Return the pieces with the first one made: what goes wrong there is still an answer."""
    first = next(pieces, b"")
    return chain([first], pieces)


def of_kept_job(engine: Engine, project_id: str, job_id: str, items: Iterator[T]) -> Iterator[T]:
    """Yield the items; raise Gone instead of ending when the job was deleted meanwhile."""
    yield from items
    require_kept(engine, project_id, job_id)


def require_kept(engine: Engine, project_id: str, job_id: str) -> None:
    """Raise Gone for a job of which rows may be missing by now, since it was deleted."""
    with engine.connect() as connection:
        found = jobs.find(connection, job_id, project_id)
    if found is None or found.deleted_at is not None:
        raise Gone("job")
