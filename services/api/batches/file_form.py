"""Reads the multipart body of a file upload: one file and a few fields, streamed to disk."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from flask import request

from services.api.bodies import require_media_type
from services.api.problems import invalid
from services.api.schemas.batches import FileFormSchema
from services.api.schemas.strict import loaded
from services.api.uploads import MULTIPART, ApiRequest, PartFile
from services.api.wired import wired
from shared.actions.job_request import UploadedFile
from shared.contracts.json_values import value_findings

_SCHEMA = FileFormSchema()
_NESTED = "expires_after"
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class FileForm:
    """What was sent; `keep_s` None where the client did not say how long."""

    file: UploadedFile
    keep_s: int | None
    fingerprint: bytes


@contextmanager
def file_form() -> Iterator[FileForm]:
    """Yield the form; its file lives as long as the block. 413, 415 and 422 for what is none."""
    require_media_type(MULTIPART)
    settings = wired().settings
    request.max_content_length = settings.upload_max_bytes
    request.max_form_memory_size = settings.body_max_bytes
    with tempfile.TemporaryDirectory(prefix="apwa-file-") as folder:
        cast("ApiRequest", request).part_folder = Path(folder)
        fields = _fields()
        file = _file()
        told = f"{sorted(fields.items())}\0{file.name}\0".encode(errors="replace")
        with file.path.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").digest()
        keep = fields.get(_NESTED)
        yield FileForm(file, keep["seconds"] if keep else None, told + digest)


def _fields() -> dict[str, Any]:
    """Return the fields by name; ``expires_after[seconds]`` is how the package writes nesting."""
    found: dict[str, Any] = {}
    for name, values in request.form.lists():
        if len(values) > 1:
            raise invalid(f"/{name[:100]}", "Send this field once.")
        outer, bracket, inner = name.partition("[")
        if bracket and inner.endswith("]") and outer == _NESTED:
            found.setdefault(_NESTED, {})[inner[:-1]] = _number_or_text(values[0])
        else:
            found[name[:100]] = values[0]
    return loaded(_SCHEMA, found)


def _number_or_text(value: str) -> int | str:
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 16 else value


def _file() -> UploadedFile:
    unknown = [part for part in request.files if part != "file"]
    if unknown:
        raise invalid(f"/{unknown[0][:100]}", "There is no such part; send one file as `file`.")
    sent = request.files.getlist("file")
    if len(sent) != 1:
        raise invalid("/file", "Send one file as the part `file`.")
    name = sent[0].filename or "upload.jsonl"
    if len(name) > _LONGEST_NAME or value_findings(name):
        raise invalid("/file", f"A file's name has at most {_LONGEST_NAME} characters, no NUL.")
    return UploadedFile(cast("PartFile", sent[0].stream).path, name)
