"""Reads a folder of files as one table, a row for each of them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from shared.tables.child_process import ChildFailedError
from shared.tables.readers.formats import format_of_file
from shared.tables.readers.json_check import printable
from shared.tables.readers.parts import Part, documents_table, images_table, prevailing
from shared.tables.readers.records import Tally, unreadable
from shared.tables.readers.source import Source, Table


def read_folder(source: Source) -> Table:
    """Read every file below a folder as one row, by name.

    Documents are rows ``name, title, text``, or images (where they are more) rows as `images`
    makes them. ``name`` is the path relative to the folder. What is neither is counted.
    """
    files = list(_files(source.path))
    if not files:
        raise unreadable("the folder holds no files")
    tally = Tally()
    parts = list(_parts(source.path, files))
    if prevailing(parts) == "images":
        return images_table(parts, source.limits, tally)
    return documents_table(parts, source.limits, tally)


def _files(folder: Path) -> Iterator[Path]:
    for directory, folders, names in os.walk(folder):  # follows no symbolic links
        folders.sort()
        linked = [name for name in folders if Path(directory, name).is_symlink()]
        for name in sorted([*names, *linked]):
            yield Path(directory, name)


def _parts(folder: Path, files: list[Path]) -> Iterator[Part]:
    for number, path in enumerate(files, 1):
        name = printable(path.relative_to(folder).as_posix())
        try:
            # A link may lead out of the folder, and a pipe may never end.
            if not stat.S_ISREG(path.lstat().st_mode):
                raise unreadable("no regular file")
            yield Part(number, name, path, format_of_file(path, name, None))
        except ChildFailedError as error:
            yield Part(number, name, path, "", error.detail)
        except OSError as error:
            yield Part(number, name, path, "", str(error.strerror))
