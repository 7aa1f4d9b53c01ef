"""Reads the records of a request: a JSON array, or lines of JSON that are read one by one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from services.api import strict_json
from services.api.bodies import json_body, require_media_type
from services.api.problems import invalid
from services.api.strict_json import NotJson
from services.api.uploads import raw_file
from services.api.wired import wired
from shared.actions.append_records import Sent

JSON = "application/json"
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")


@dataclass(frozen=True, slots=True)
class RecordBody:
    """Records to be gone through once; `counted_by` says what their place is."""

    fingerprint: bytes
    records: Iterable[Sent]
    counted_by: Literal["index", "line"]  # from 0 in an array, from 1 in lines


@contextmanager
def record_body() -> Iterator[RecordBody]:
    """Yield the records of the body; 400, 413 and 415 for what is none, before any is accepted.

    A line that is not JSON is one rejected record.
    """
    if require_media_type(JSON, *NDJSON) == JSON:
        raw, document = json_body()
        if not isinstance(document, list):
            raise invalid("", "Write an array of objects, or send lines as application/x-ndjson.")
        yield RecordBody(raw, (Sent(at, value) for at, value in enumerate(document)), "index")
        return
    with raw_file("records", "ndjson") as (file, digest):
        lines = _lines(file.path, wired().settings.body_max_bytes)
        yield RecordBody(digest, lines, "line")


def _lines(path: Path, longest: int) -> Iterator[Sent]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(longest + 1):
            number += 1
            if len(line) > longest:
                while not line.endswith(b"\n") and (line := file.readline(longest)):
                    pass
                yield Sent(number, fault=f"The line is longer than {longest} bytes.")
            elif line := line.strip():
                yield _sent(number, line)


def _sent(number: int, line: bytes) -> Sent:
    try:
        return Sent(number, strict_json.parse(line), size=len(line))
    except NotJson as error:
        return Sent(number, fault=str(error).replace("The body", "The line", 1))
