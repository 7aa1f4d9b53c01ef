"""Opens a zip archive without trusting it: its members are counted, bounded, and never paths."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from shared.tables.readers.records import ReadLimits, unreadable

_FREE_BYTES = 64 << 20  # an archive may unpack to this whatever its own size
_READ_BYTES = 1 << 20
_ENCRYPTED = 0x1
# Others unpack a few bytes to gigabytes in one step, with nothing in between to count them.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


class Archive:
    """An archive whose table of contents was checked against the limits."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self.members = [info for info in file.infolist() if not info.is_dir()]

    def extract(self, member: zipfile.ZipInfo, target: Path) -> None:
        """Write the member's content to a file of ours; raise a refusal for a broken one."""
        with target.open("xb") as file:
            self._copy(member, file)

    def verify(self) -> None:
        """Unpack everything once to nowhere: a library that trusts the sizes may follow."""
        for member in self.members:
            self._copy(member, None)

    def _copy(self, member: zipfile.ZipInfo, target: BinaryIO | None) -> None:
        if member.flag_bits & _ENCRYPTED:
            raise unreadable("it is encrypted")
        if member.compress_type not in _METHODS:
            raise unreadable(f"it is compressed by method {member.compress_type}")
        try:
            with self._file.open(member) as source:
                while piece := source.read(_READ_BYTES):
                    if target is not None:
                        target.write(piece)
        except _BROKEN as error:
            raise unreadable(f"it does not unpack: {error}") from error


@contextmanager
def open_archive(
    path: Path, limits: ReadLimits, most_bytes: int | None = None
) -> Iterator[Archive]:
    """Open an archive that keeps the limits by its own table of contents.

    No member unpacks to more than that table says, so what is checked here holds. Raises a refusal
    `decompression_limit` for a bomb, `unreadable` for what is no whole archive.
    """
    try:
        file = zipfile.ZipFile(path)
    except _BROKEN as error:
        raise unreadable(f"not a whole archive: {error}") from error
    with file:
        _check(file.infolist(), path.stat().st_size, limits, most_bytes or limits.archive_bytes)
        yield Archive(file)


def _check(members: list[zipfile.ZipInfo], size: int, limits: ReadLimits, most_bytes: int) -> None:
    if len(members) > limits.archive_members:
        detail = f"{len(members)} members are more than {limits.archive_members}"
        raise unreadable(detail, "decompression_limit")
    most = min(most_bytes, max(_FREE_BYTES, size * limits.archive_expansion))
    if sum(member.file_size for member in members) > most:
        raise unreadable(f"it unpacks to more than {most} bytes", "decompression_limit")
    if sum(member.compress_size for member in members) > size:
        raise unreadable("its members overlap", "decompression_limit")
