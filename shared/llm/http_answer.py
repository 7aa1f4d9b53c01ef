"""One HTTP answer, read with a cap on what arrives and on what it unpacks to."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.domain.model_call import CallFailure


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Status, headers (case-insensitive or lower-case) and the whole unpacked body."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Transport(Protocol):
    """One way to post a body to an endpoint; bound to the event loop that uses it first."""

    async def post(self, body: bytes) -> HttpAnswer | CallFailure:
        """Send to ``/chat/completions``; any status is an answer. Has no deadline of its own."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class Ended(Exception):
    """Reading stops here; `failure` says why."""

    def __init__(self, failure: CallFailure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class BodyReader:
    """Unpacks gzip and deflate piece by piece; raises Ended as soon as the cap is passed."""

    def __init__(self, status: int, headers: Mapping[str, str], most_bytes: int) -> None:
        self._status = status
        self._most = most_bytes
        self._seen = 0
        self._unpack = self._unpacker(headers.get("content-encoding", "").strip().lower())
        declared = headers.get("content-length", "")
        if declared.isdecimal() and len(declared) < 20 and int(declared) > most_bytes:
            raise self._too_large()

    def feed(self, piece: bytes) -> bytes:
        """Return the unpacked bytes of a piece as it arrived."""
        if self._unpack is not None:
            try:
                piece = self._unpack.decompress(piece, self._most - self._seen + 1)
            except zlib.error as error:
                raise self._broken(f"it does not unpack: {error}") from None
        self._seen += len(piece)
        if self._seen > self._most:
            raise self._too_large()
        return piece

    def _unpacker(self, encoding: str) -> "zlib._Decompress | None":
        if encoding in ("", "identity"):
            return None
        if encoding in ("gzip", "x-gzip", "deflate"):
            return zlib.decompressobj(zlib.MAX_WBITS | 32)  # reads the header of either
        raise self._broken(f"it is packed as {encoding[:40]!r}, which was not asked for")

    def _too_large(self) -> Ended:
        detail = f"The answer is larger than {self._most} bytes."
        return Ended(CallFailure("too_large", detail, status=self._status))

    def _broken(self, why: str) -> Ended:
        detail = f"The answer cannot be read: {why}."
        return Ended(CallFailure("bad_response", detail, status=self._status))


def refuse_redirect(status: int) -> None:
    """Raise Ended for a redirect: following it would carry key and data to another place."""
    if 300 <= status < 400:
        detail = f"HTTP {status}: the endpoint redirects; give the address it redirects to."
        raise Ended(CallFailure("redirect", detail, status=status))


def unreachable(error: Exception) -> CallFailure:
    """Return the failure of a connection that could not be made or broke."""
    told = str(error) or type(error).__name__
    return CallFailure("overloaded", f"The endpoint cannot be reached: {told}"[:500])


def unreadable(error: Exception) -> CallFailure:
    """Return the failure of bytes that are no HTTP answer, or that end before they should."""
    told = str(error) or type(error).__name__
    return CallFailure("bad_response", f"The answer is not valid HTTP: {told}"[:500])
