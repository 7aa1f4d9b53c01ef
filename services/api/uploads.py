"""Bodies that are files: they land in temporary files whose names no client chose."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from flask import Request, request

from services.api import strict_json
from services.api.bodies import blocks, require_identity_coding
from services.api.problems import Problem, invalid
from services.api.wired import wired
from shared.actions.job_request import UploadedFile

MULTIPART = "multipart/form-data"
MAX_PARTS = 10_000
NO_JOB: Any = object()


class PartFile:
    """The file of one part; open only while written to, since a body may have thousands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def write(self, data: bytes) -> int:
        """Add to the end."""
        with self.path.open("ab") as file:
            return file.write(data)

    def read(self, size: int = -1) -> bytes:
        """Return the beginning."""
        with self.path.open("rb") as file:
            return file.read(size)

    def seek(self, position: int, whence: int = 0) -> int:  # noqa: ARG002 - what parsers call
        """Do nothing: reading begins at the start anyway."""
        return 0

    def close(self) -> None:
        """Do nothing: the folder goes with the request."""


class ApiRequest(Request):
    """A request whose uploaded parts are files in `part_folder`."""

    max_form_parts = MAX_PARTS
    part_folder: Path | None = None
    _parts = 0

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - Flask's signature
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002 - never part of a path
        content_length: int | None = None,  # noqa: ARG002
    ) -> IO[bytes]:
        if self.part_folder is None:
            raise RuntimeError("parts are read by `multipart` only")
        self._parts += 1
        return cast("IO[bytes]", PartFile(self.part_folder / f"{self._parts:06}"))


@dataclass(frozen=True, slots=True)
class Multipart:
    """The parts of a body: JSON of the part `job` and files by part name."""

    job: Any
    files: dict[str, list[UploadedFile]]
    fingerprint: bytes


@contextmanager
def raw_file(name: str, format_: str | None) -> Iterator[tuple[UploadedFile, bytes]]:
    """Stream the body to a file that lives as long as the block; yields it and its hash."""
    require_identity_coding()
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile("wb", prefix="apwa-body-") as target:
        for piece in blocks(wired().settings.upload_max_bytes):
            digest.update(piece)
            target.write(piece)
        target.flush()
        yield UploadedFile(Path(target.name), name, format_), digest.digest()


@contextmanager
def multipart() -> Iterator[Multipart]:
    """Read a multipart body; its files live as long as the block."""
    require_identity_coding()
    settings = wired().settings
    request.max_content_length = settings.upload_max_bytes
    request.max_form_memory_size = settings.body_max_bytes
    with tempfile.TemporaryDirectory(prefix="apwa-parts-") as folder:
        cast("ApiRequest", request).part_folder = Path(folder)
        digest = hashlib.sha256()
        job = _job_part(digest)
        yield Multipart(job, _files(digest), digest.digest())


def _files(digest: Any) -> dict[str, list[UploadedFile]]:
    found: dict[str, list[UploadedFile]] = {}
    for part, storages in request.files.lists():
        for storage in storages:
            if part != "job":
                path = cast("PartFile", storage.stream).path
                digest.update(f"{part}\0{storage.filename}\0".encode(errors="replace"))
                digest.update(_hash_of(path))
                found.setdefault(part, []).append(UploadedFile(path, storage.filename or part))
    return found


def _job_part(digest: Any) -> Any:
    """Return the JSON of the part `job`, sent as a field or as a file; `NO_JOB` without one."""
    sent = request.form.getlist("job")
    unknown = [name for name in request.form if name != "job"]
    if unknown:
        raise invalid(f"/{unknown[0][:100]}", "There is no such part; send files as files.")
    files = request.files.getlist("job")
    if len(sent) + len(files) > 1:
        raise invalid("/job", "Send the part job once.")
    if files:
        limit = wired().settings.body_max_bytes
        raw = files[0].stream.read(limit + 1)
        if len(raw) > limit:
            raise Problem(413, "too_large", f"The part job is larger than {limit} bytes.")
    elif sent:
        raw = sent[0].encode("utf-8", "surrogatepass")
    else:
        return NO_JOB
    digest.update(raw)
    return strict_json.parse(raw)


def _hash_of(path: Path) -> bytes:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").digest()
