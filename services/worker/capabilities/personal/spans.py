"""A stretch of text that is personal data, and how overlapping ones are settled."""

from collections.abc import Iterable
from dataclasses import dataclass

# Among finds of one length the first in this list wins; the surest forms come first.
_PRIORITY = (
    "secret",
    "email",
    "url",
    "iban",
    "card",
    "national_id",
    "ip",
    "date_of_birth",
    "phone",
)


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]` is of class `kind`; equal `value`s are the same thing written twice."""

    start: int
    end: int
    kind: str
    value: str


def resolved(spans: Iterable[Span]) -> list[Span]:
    """Return spans that do not overlap, in order, covering all that the given ones cover.

    Where some overlap, they become one: of the kind of the longest (of the surest, if alike).
    """
    settled: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.end)):
        if settled and span.start < settled[-1].end:
            settled[-1] = _merged(settled[-1], span)
        else:
            settled.append(span)
    return settled


def _merged(first: Span, second: Span) -> Span:
    winner = max(first, second, key=_weight)
    end = max(first.end, second.end)
    return Span(first.start, end, winner.kind, winner.value)


def _weight(span: Span) -> tuple[int, int]:
    return span.end - span.start, -_PRIORITY.index(span.kind)
