"""Bundles that were tampered with: a byte somewhere, or a member with every hash made right."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from services.api.bundle.zip_stream import ZipStream
from services.cli.replay.findings import Report
from services.cli.replay.replay_bundle import replay_bundle


def places(content: bytes) -> Iterator[int]:
    """Byte numbers in every part of a zip: heads, data, the manifest, the directory, the seal."""
    size = len(content)
    yield from (0, 1, 4, 8, 10, 14, 30)  # the head of the first member: mark, version, flags, time
    yield from range(100, size - 200, max(1, (size - 300) // 20))
    yield content.index(b"stages/000-labels/units.jsonl")  # a name
    yield content.rindex(b"PK\x01\x02") + 10  # in the directory
    end = content.rindex(b"PK\x05\x06")
    yield from (end, end + 8, end + 16, end + 20, size - 80, size - 64, size - 1)


def forged(archive: Path, path: Path, name: str, change: Callable[[list[Any]], Any]) -> Report:
    """Write the bundle again with one member changed and every hash made right; replay it."""
    with zipfile.ZipFile(archive) as file:
        manifest = json.loads(file.read("manifest.json"))
        stream = ZipStream({key: manifest[key] for key in ("format", "job", "stages")})
        written = b""
        for member in (one["name"] for one in manifest["members"]):
            content = file.read(member)
            if member == name:
                told = [json.loads(line) for line in content.splitlines()]
                change(told)
                content = b"".join(json.dumps(one).encode() + b"\n" for one in told)
            written += b"".join(stream.member(member, [content]))
        written += b"".join(stream.close())
    path.write_bytes(written)
    return replay_bundle(path)


def first_label(told: list[Any]) -> None:
    told[0]["output"][0]["label"] = "something else"


def no_label(told: list[Any]) -> None:
    del told[0]["output"][0]["label"]


def one_less(told: list[Any]) -> None:
    told.pop(5)


def twice(told: list[Any]) -> None:
    told.insert(1, told[0])


def cheaper(told: list[Any]) -> None:
    told[0]["usage"]["calls"] = 0
