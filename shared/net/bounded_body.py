"""Reads a body with a cap on what arrives and on what it unpacks to."""

import zlib
from typing import BinaryIO

from shared.net.refused import WebError

_PACKED = ("gzip", "x-gzip", "deflate")


class BoundedBody:
    """Collects the pieces of one body; raises WebError as soon as it grows past `most_bytes`.

    With `into` they are written there and not kept.
    """

    def __init__(
        self, encoding: str, declared: str, most_bytes: int, into: BinaryIO | None = None
    ) -> None:
        self._most = most_bytes
        self._arrived = self._size = 0
        self._into = into
        self._data = bytearray()
        self._unpack = self._unpacker(encoding.strip().lower())
        if declared.isdecimal() and len(declared) < 20 and int(declared) > most_bytes:
            raise self._too_large()

    def feed(self, piece: bytes) -> None:
        """Take a piece as it arrived."""
        self._arrived += len(piece)
        if self._unpack is not None:
            try:
                piece = self._unpack.decompress(piece, self._most - self._size + 1)
            except zlib.error as error:
                raise WebError("bad_response", "The body does not unpack.") from error
            if self._unpack.unused_data:  # it would be kept, or a second part silently lost
                raise WebError("bad_response", "More follows the end of the packed body.")
        self._size += len(piece)
        if max(self._size, self._arrived) > self._most:
            raise self._too_large()
        if self._into is None:
            self._data += piece
        else:
            self._into.write(piece)

    def whole(self) -> bytes:
        """Return the unpacked body once everything arrived; nothing of one written elsewhere."""
        if self._unpack is not None and self._size and not self._unpack.eof:
            raise WebError("bad_response", "The packed body is not complete.", transient=True)
        return bytes(self._data)

    def _unpacker(self, encoding: str) -> "zlib._Decompress | None":
        if encoding in ("", "identity"):
            return None
        if encoding in _PACKED:
            return zlib.decompressobj(zlib.MAX_WBITS | 32)  # reads the header of either
        raise WebError("bad_response", f"The body is packed as {encoding[:40]!r}, unasked for.")

    def _too_large(self) -> WebError:
        return WebError("too_large", f"The body is larger than {self._most} bytes.")
