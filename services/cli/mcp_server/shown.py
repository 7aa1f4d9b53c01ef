"""What the tools answer: the objects of the interface, less what an agent has no use for."""

from typing import Any, TypedDict

from services.cli.watching import is_final

VALUE_CHARS = 2_000  # of one text in an answer
ANSWER_CHARS = 200_000  # of one answer


class JobView(TypedDict):
    """A job and how far it is."""

    id: str
    status: str
    is_final: bool
    status_reason: Any
    goal: str | None
    workflow: dict[str, Any] | None
    labels: dict[str, str]
    mode: str
    approval: str
    plan: dict[str, Any] | None
    progress: dict[str, Any]
    coverage: dict[str, Any] | None
    usage: dict[str, Any]
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    created_at: str
    finished_at: str | None


class Page(TypedDict):
    """Some items; `next_cursor` is null on the last page."""

    items: list[dict[str, Any]]
    next_cursor: str | None


class EstimateView(TypedDict):
    """The plan a job would have, what the linter says of it, and its price."""

    engine: str
    plan: dict[str, Any]
    findings: list[dict[str, Any]]
    price: dict[str, Any]


class TooLarge(ValueError):
    """The answer would not fit; fewer items would."""


def job_view(job: dict[str, Any]) -> JobView:
    """Return a job as tools show it."""
    view: Any = {name: job.get(name) for name in JobView.__annotations__}
    view["is_final"] = is_final(job)
    shown: JobView = clipped(view)
    return shown


def page(answer: dict[str, Any]) -> Page:
    """Return a page with long texts clipped; raise TooLarge when it is large even so."""
    items = clipped(answer["items"])
    if len(str(items)) > ANSWER_CHARS:
        raise TooLarge(f"{len(items)} items are too much for one answer; ask with a lower limit")
    return {"items": items, "next_cursor": answer.get("next_cursor")}


def clipped(value: Any) -> Any:
    """Return a JSON value whose texts have at most `VALUE_CHARS` characters and a note."""
    if isinstance(value, str):
        more = len(value) - VALUE_CHARS
        return value if more <= 0 else f"{value[:VALUE_CHARS]} [... {more} more characters]"
    if isinstance(value, list):
        return [clipped(item) for item in value]
    if isinstance(value, dict):
        return {name: clipped(item) for name, item in value.items()}
    return value
