"""Kombu's Redis transport, except that what is no message is dropped instead of ending us."""

from typing import Any

from kombu.transport import redis
from redis.exceptions import ConnectionError

from shared.log import get_logger


class Channel(redis.Channel):
    """Reads queues; an element that is not JSON is taken out and told."""

    def _connparams(self, asynchronous: bool = False) -> Any:
        """Say that the connection is closed; kombu fails with what Celery does not recover from."""
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("the connection was closed meanwhile")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[misc]

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # absent in the stubs
        except ValueError as error:
            _refused(f"not JSON: {type(error).__name__}")
            return True


class Transport(redis.Transport):
    """Hands on what has the form of a message; whoever can write to Redis may write anything.

    Without this the process ends on the first element of a queue it cannot read.
    """

    Channel = Channel

    def _deliver(self, message: Any, queue: Any) -> None:
        if _is_message(message):
            super()._deliver(message, queue)
        else:
            _refused("no message of Celery")


def _is_message(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("body"), str):
        return False
    properties, headers = found.get("properties"), found.get("headers")
    if not isinstance(properties, dict) or not isinstance(headers, dict):
        return False
    tag, info = properties.get("delivery_tag"), properties.get("delivery_info")
    encoding = properties.get("body_encoding")
    return isinstance(tag, str) and isinstance(info, dict) and encoding in (None, "base64")


def _refused(error: str) -> None:
    get_logger().warning("message_refused", message=None, error=error)
