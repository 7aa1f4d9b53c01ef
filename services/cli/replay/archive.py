"""Opens a bundle: every byte of the file and every member against its hash."""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

import orjson

from services.cli.replay.findings import Report
from shared.contracts import bundle

_BLOCK = 1 << 20
_JSON_BYTES = 50_000_000  # of a member that is read whole
_BROKEN = (
    BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, NotImplementedError,
    ValueError, KeyError, IndexError,
)  # fmt: skip


class Archive:
    """A bundle whose bytes are those that were written; members are read line by line."""

    def __init__(self, file: ZipFile, manifest: dict[str, Any]) -> None:
        self._file, self.manifest = file, manifest
        self._names = {one["name"] for one in manifest["members"]}

    def has(self, name: str) -> bool:
        """Return True when there is such a member."""
        return name in self._names

    def json(self, name: str) -> dict[str, Any]:
        """Return a member that is one JSON object. Raises KeyError and ValueError."""
        with self._file.open(name) as member:
            value = orjson.loads(member.read(_JSON_BYTES))
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
        return value

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the JSON objects of a member, one line at a time."""
        with self._file.open(name) as member:
            for line in member:
                value = orjson.loads(line)
                if not isinstance(value, dict):
                    raise ValueError("a line is not a JSON object")
                yield value

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


def open_archive(path: Path, report: Report) -> Archive | None:
    """Return the bundle if nothing of it was changed; else say in `report` where it was."""
    _check_seal(path, report)
    try:
        file = ZipFile(path)
    except _BROKEN as error:
        report.add("archive", f"is no readable zip: {error}")
        return None
    archive = _checked(file, report)
    if archive is None or not report.sound:
        file.close()
        return None
    return archive


def _check_seal(path: Path, report: Report) -> None:
    """Compare the SHA-256 at the end of the file with that of every byte before it."""
    size, length = path.stat().st_size, len(bundle.SEAL) + bundle.DIGEST_CHARS
    digest = hashlib.sha256()
    with path.open("rb") as file:
        left = size - bundle.DIGEST_CHARS
        last = b""
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            digest.update(block)
            last = (last + block)[-length:]
            left -= len(block)
        said = file.read()
    if not last.endswith(bundle.SEAL):
        report.add("archive", "has no seal at its end: it is no bundle, or was cut off or changed")
    elif said != digest.hexdigest().encode():
        report.add("archive", "was changed: its bytes do not have the SHA-256 of its seal")


def _checked(file: ZipFile, report: Report) -> Archive | None:
    manifest = _manifest(file, report)
    if manifest is None:
        return None
    named = [info.filename for info in file.infolist()]
    told = [one["name"] for one in manifest["members"]] + [bundle.MANIFEST]
    for name in sorted({*named} ^ {*told}):
        report.add(name, "is not in the manifest" if name in named else "is missing")
    if len(set(named)) < len(named):
        report.add("archive", "has two members of one name")
    for one in manifest["members"]:
        if one["name"] in named:
            _check_member(file, one, report)
    report.members = len(named)
    return Archive(file, manifest)


def _manifest(file: ZipFile, report: Report) -> dict[str, Any] | None:
    try:
        with file.open(bundle.MANIFEST) as member:
            manifest = orjson.loads(member.read(_JSON_BYTES))
        members = [(one["name"], one["bytes"], one["sha256"]) for one in manifest["members"]]
        report.job, report.hash = str(manifest["job"]), str(manifest["sha256"])
        known = manifest["format"] == bundle.FORMAT and isinstance(manifest["stages"], list)
    except (*_BROKEN, TypeError) as error:
        report.add(bundle.MANIFEST, f"cannot be read: {error}")
        return None
    if not known or not all(
        isinstance(name, str) and isinstance(size, int) for name, size, _ in members
    ):
        report.add(bundle.MANIFEST, "is of a format this program does not know")
        return None
    if bundle.contents_hash(manifest) != manifest["sha256"]:
        report.add(bundle.MANIFEST, "was changed: it does not have the SHA-256 it carries")
    found: dict[str, Any] = manifest
    return found


def _check_member(file: ZipFile, told: dict[str, Any], report: Report) -> None:
    try:
        with file.open(told["name"]) as member:
            size, digest = _read(member, told["bytes"])
    except _BROKEN as error:
        report.add(told["name"], f"cannot be read: {error}")
        return
    if (size, digest) != (told["bytes"], told["sha256"]):
        report.add(told["name"], "was changed: it does not have the SHA-256 of the manifest")


def _read(member: IO[bytes], most: int) -> tuple[int, str]:
    """Return size and hash, never unpacking more than was told."""
    digest, size = hashlib.sha256(), 0
    while size <= most and (block := member.read(_BLOCK)):
        size += len(block)
        digest.update(block)
    return size, digest.hexdigest()
