"""Reads a zip archive by what its members are: tables, documents or images, joined into one."""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from shared.tables.child_process import ChildFailedError
from shared.tables.readers.archives import Archive, open_archive
from shared.tables.readers.formats import format_of_file
from shared.tables.readers.joined import joined_table
from shared.tables.readers.json_check import printable
from shared.tables.readers.parts import (
    Part,
    documents_table,
    images_table,
    of_group,
    prevailing,
)
from shared.tables.readers.records import Tally, unreadable
from shared.tables.readers.source import Reader, Source, Table

_NAME_CHARS = 1_000


def read_zip(source: Source, readers: Mapping[str, Reader]) -> Table:
    """Unpack the members into the scratch folder, under numbers, and read them.

    One member is read as if it had come alone. Of several, what most of them are decides: tables
    are joined (see `joined`), documents and images are a row each; the rest is counted.
    """
    with open_archive(source.path, source.limits) as archive:
        members = [member for member in archive.members if not _is_debris(member.filename)]
        if not members:
            raise unreadable("the archive holds no files")
        parts = list(_unpacked(source, archive, members))
    if len(parts) == 1:
        if parts[0].fault is not None:
            raise unreadable(f"{parts[0].name}: {parts[0].fault}")
        return _open(source, parts[0], readers)
    tally, group = Tally(), prevailing(parts)
    if group == "images":
        return images_table(parts, source.limits, tally)
    if group == "documents":
        return documents_table(parts, source.limits, tally)
    tables = of_group(parts, "tables", tally)
    opens = [(part, partial(_open, source, part, readers)) for part in tables]
    return joined_table(opens, tally, source.limits.max_columns)


def _open(source: Source, part: Part, readers: Mapping[str, Reader]) -> Table:
    return readers[part.kind](_source(source, part))


def _unpacked(source: Source, archive: Archive, members: list[zipfile.ZipInfo]) -> Iterator[Part]:
    if source.scratch is None:
        raise unreadable("there is no room to unpack an archive")
    for number, member in enumerate(members, 1):
        name = printable(member.filename)[:_NAME_CHARS]
        target = source.scratch / f"{number:08}"  # never a name a stranger chose
        try:
            archive.extract(member, target)
            yield Part(number, name, target, _kind(target, name))
        except ChildFailedError as error:
            target.unlink(missing_ok=True)
            yield Part(number, name, target, "", error.detail)


def _kind(path: Path, name: str) -> str:
    kind = format_of_file(path, name, None)
    if kind == "zip":
        raise unreadable("an archive within an archive")
    return kind


def _source(source: Source, part: Part) -> Source:
    return replace(source, path=part.path, name=part.name, format=part.kind, scratch=None)


def _is_debris(name: str) -> bool:
    """Tell what systems leave in archives, which nobody put there."""
    parts = name.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1].startswith(".") or parts[-1] in ("Thumbs.db", "")
