"""`If-Match`: an edit is made for what its sender has read, or it is not made."""

from flask import request

from services.api.problems import Problem

HEADER = "If-Match"


def required() -> frozenset[str] | None:
    """Return the entity tags of `If-Match`, None for ``*``; 428 when the header is missing.

    Weak tags and what is no tag match nothing, so they end as 412.
    """
    if HEADER not in request.headers:
        detail = f"Send the ETag of what you read as {HEADER}."
        raise Problem(428, "precondition_required", detail)
    return given()


def given() -> frozenset[str] | None:
    """Return the entity tags of `If-Match`, None for ``*`` and where it is missing."""
    if HEADER not in request.headers or request.headers[HEADER].strip() == "*":
        return None
    return frozenset(tag for tag in request.if_match.as_set() if tag)


def versions(tags: frozenset[str] | None) -> frozenset[str] | None:
    """Return the versions in the tags of a job: its ETag is ``version-digest``.

    The digest changes with every settled unit, the version with every event only.
    """
    return None if tags is None else frozenset(tag.partition("-")[0] for tag in tags)
