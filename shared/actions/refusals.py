"""The expected ways in which an action says no; doors turn them into their own answers."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.contracts.findings import Finding


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with a request: where (JSON Pointer), what, and its own code if any."""

    pointer: str
    detail: str
    code: str | None = None

    def to_json(self) -> dict[str, str]:
        """Return ``{"pointer", "detail"}`` and ``code`` where there is one."""
        known = {"pointer": self.pointer, "detail": self.detail}
        return known | ({"code": self.code} if self.code else {})


class Refusal(Exception):
    """The request is not granted; `code` is stable, `problems` says where."""

    def __init__(self, code: str, detail: str, problems: Iterable[FieldProblem] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.problems = list(problems)


class NotFound(Refusal):
    """There is no such object in the actor's project."""

    def __init__(self, what: str, problems: Iterable[FieldProblem] = ()) -> None:
        super().__init__("not_found", f"There is no such {what}.", problems)


class Gone(Refusal):
    """The object was deleted; only its tombstone is left."""

    def __init__(self, what: str) -> None:
        super().__init__("deleted", f"The {what} was deleted.")


class WrongState(Refusal):
    """The object is in a state that does not allow the action."""


class Later(Refusal):
    """A limit is reached; the same request may be sent again after `retry_after_s` seconds."""

    def __init__(self, code: str, detail: str, retry_after_s: int) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s


class TooFarBehind(Later):
    """The work is not done as fast as it comes."""

    def __init__(self, detail: str, retry_after_s: int = 2) -> None:
        super().__init__("queue_full", detail, retry_after_s)


class Forbidden(Refusal):
    """The actor may not do this: it lacks a scope, or its project has no room for it."""


class Conflict(Refusal):
    """Something else stands in the way, as another object of the name."""


class Stale(Refusal):
    """The object is no longer what the request was made for (`If-Match`)."""

    def __init__(self, what: str) -> None:
        detail = f"The {what} has changed since; read it again and send its ETag as If-Match."
        super().__init__("stale", detail)


class Invalid(Refusal):
    """The request itself is wrong."""

    def __init__(
        self, problems: Iterable[FieldProblem], code: str = "invalid", detail: str | None = None
    ) -> None:
        known = list(problems)
        text = detail or (known[0].detail if len(known) == 1 else "Some fields are not valid.")
        super().__init__(code, text, known)


def problems_of(findings: Iterable[Finding], under: str = "") -> list[FieldProblem]:
    """Return the findings as problems of the field at pointer `under`."""
    return [FieldProblem(under + found.pointer, found.detail, found.code) for found in findings]
