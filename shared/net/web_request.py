"""What is asked of a stranger's server, and what it answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What is sent. `redirects` is how many a GET follows, each checked anew; 0 for webhooks.

    `wall_s` bounds everything from the first look-up to the last byte; `most_bytes` the body
    that is read, packed or unpacked.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    redirects: int = 0
    wall_s: float = 30.0
    most_bytes: int = 5_000_000


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came back from `url`, the last hop; header names in lower case, the body unpacked."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
