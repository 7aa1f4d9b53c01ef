"""Writes a zip into a stream that cannot be gone back in, in constant memory, and seals it."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from shared.contracts.bundle import DIGEST_CHARS, MANIFEST, SEAL, contents_hash
from shared.contracts.json_values import canonical_json

_AT_ONCE = 1 << 16
_TIME = (1980, 1, 1, 0, 0, 0)  # the same contents are the same bytes


class ZipStream:
    """Takes members one after the other; what they return is to be sent in that order."""

    def __init__(self, about: dict[str, Any]) -> None:
        """`about` goes into the manifest, beside the list of members."""
        self._sink = _Sink()
        self._zip = ZipFile(cast("Any", self._sink), "w", ZIP_DEFLATED)
        self._about = about
        self._members: list[dict[str, Any]] = []
        self._digest = hashlib.sha256()

    def member(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Write one member as its pieces come."""
        digest, size = hashlib.sha256(), 0
        info = ZipInfo(name, _TIME)
        info.compress_type, info.external_attr = ZIP_DEFLATED, 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as member:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                member.write(piece)
                yield from self._ready(_AT_ONCE)
        self._members.append({"name": name, "bytes": size, "sha256": digest.hexdigest()})
        yield from self._ready(_AT_ONCE)

    def close(self) -> Iterator[bytes]:
        """Write the manifest, the directory and the seal; nothing can follow."""
        manifest = {**self._about, "members": list(self._members)}
        told = {**manifest, "sha256": contents_hash(manifest)}
        yield from self.member(MANIFEST, [canonical_json(told)])
        self._zip.comment = SEAL + b"0" * DIGEST_CHARS
        self._zip.close()
        end = self._sink.taken()[:-DIGEST_CHARS]
        self._digest.update(end)
        yield end + self._digest.hexdigest().encode()

    def _ready(self, least: int) -> Iterator[bytes]:
        if self._sink.size >= least:
            piece = self._sink.taken()
            self._digest.update(piece)
            yield piece


class _Sink:
    """What the zip is written to; without `tell` and `seek` it writes sizes behind the data."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: whoever reads decides when."""

    def taken(self) -> bytes:
        found = b"".join(self._pieces)
        self._pieces, self.size = [], 0
        return found
