"""Finds web addresses: with a scheme, or beginning with www."""

import re
from collections.abc import Iterator

from services.worker.capabilities.personal.spans import Span

_URL = re.compile(
    r"(?<![\w@])(?:(?:https?|ftps?|sftp|wss?|ssh|git|file|postgres(?:ql)?|mysql|redis|mongodb"
    r"(?:\+srv)?|amqps?|s3)://|www\.(?=[\w-]+\.))[^\s<>\"“”„«»`|\\^{}]+",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?'’*_…"
_PAIRS = {")": "(", "]": "["}
_HOST = re.compile(
    r"^(?:[^/?#@]*@)?(?:\[[0-9a-f:.]+\]|[\w-]+(?:\.[\w-]+)*)\.?(?::\d+)?(?=[/?#]|$)|^/", re.I
)


def find(text: str) -> Iterator[Span]:
    """Yield the addresses of `text` without the punctuation of the sentence around them."""
    if "://" not in text and "www." not in text.lower():
        return
    for match in _URL.finditer(text):
        address = _trimmed(match.group())
        rest = address.partition("://")[2] or address
        if _HOST.match(rest):
            yield Span(match.start(), match.start() + len(address), "url", address)


def _trimmed(address: str) -> str:
    end = len(address)
    surplus = {close: address.count(close) - address.count(_PAIRS[close]) for close in _PAIRS}
    while end:
        last = address[end - 1]
        if surplus.get(last, 0) > 0:
            surplus[last] -= 1
        elif last not in _TRAILING:
            break
        end -= 1
    return address[:end]
