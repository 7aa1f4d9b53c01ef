"""What is asked of a stranger's server, and what it answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

BODY_S = 2.0  # for the body of an answer of which only the beginning is wanted


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What is sent. `redirects` is how many a GET follows, each checked anew; 0 for webhooks.

    `wall_s` bounds everything from the first look-up to the last byte; `most_bytes` the body
    that is read, packed or unpacked. With `cut` a longer or broken body is no error: what came of
    it within `BODY_S` is kept, as it came. With `into` the body of a 200 is written there as it
    comes, and that of any other answer is left unread; the answer's own body is empty then.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    redirects: int = 0
    wall_s: float = 30.0
    most_bytes: int = 5_000_000
    cut: bool = False
    into: BinaryIO | None = None


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came back from `url`, the last hop; header names in lower case, the body unpacked."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False  # there was more than `body`
