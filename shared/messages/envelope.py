"""The version mark every message carries."""

from typing import Any

VERSION = 1


class MalformedMessage(ValueError):
    """A message that is not ours, or of a version this process does not know; it is dropped."""


def read_envelope(body: Any, field: str) -> Any:
    """Return the single id of a message body ``{"v": 1, field: id}``."""
    if not isinstance(body, dict) or set(body) != {"v", field}:
        raise MalformedMessage(f"expected an object with v and {field}")
    if type(body["v"]) is not int or body["v"] != VERSION:
        raise MalformedMessage(f"message version {body['v']!r} is not known here")
    return body[field]
