"""Finds e-mail addresses."""

import re
from collections.abc import Iterator

from services.worker.capabilities.personal.spans import Span

# The look-behind lets a match begin only where a run of such characters begins: linear time.
_ADDRESS = re.compile(
    r"(?<![\w.%+'-])[\w.%+'-]+@(?:\w(?:[\w-]{0,61}\w)?\.){1,8}"
    r"(?P<top>xn--[a-z0-9-]{2,59}|[^\W\d_]{2,24})(?!\w|-\w)",
    re.IGNORECASE,
)
_FILE_ENDINGS = frozenset(
    ["png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "json", "html", "pdf", "txt"]
)
_LEADING = "'%+-."


def find(text: str) -> Iterator[Span]:
    """Yield the addresses of `text`; addresses of repositories and file names are none."""
    if "@" not in text:
        return
    for match in _ADDRESS.finditer(text):
        start, end = match.span()
        if match["top"].lower() in _FILE_ENDINGS or _is_remote(text, start, end):
            continue
        start += _length_of_lead(match.group())
        yield Span(start, end, "email", text[start:end].lower())


def _is_remote(text: str, start: int, end: int) -> bool:
    """Whether it is the ``git@host:path`` of a repository."""
    return text[start : start + 4] == "git@" and text[end : end + 1] == ":"


def _length_of_lead(address: str) -> int:
    """Return how many signs of quotation or lists stand before the address proper."""
    local = address.partition("@")[0]
    bare = local.lstrip(_LEADING)
    return len(local) - len(bare) if bare else 0
