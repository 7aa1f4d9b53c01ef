"""The child process that copies one remote file: ``python -m shared.tables.remote_child``."""

import errno
import json
import os
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any, BinaryIO

from shared.tables.child_process import ChildFailedError
from shared.tables.child_service import serve

_READ_BYTES = 1 << 20


def copy(header: dict[str, Any], _stdin: BufferedReader, stdout: BufferedWriter) -> None:
    """Write the file to ``target`` and say how many bytes it has."""
    most, count = int(header["most_bytes"]), 0
    try:
        with _open(header) as source, Path(header["target"]).open("wb") as target:
            while piece := source.read(_READ_BYTES):
                count += len(piece)
                if count > most:
                    raise ChildFailedError("too_large", f"it is larger than {most} bytes")
                target.write(piece)
    except FileNotFoundError as error:
        raise ChildFailedError("not_found", "there is no such file") from error
    except PermissionError as error:
        raise ChildFailedError("forbidden", "it may not be read with the operator's key") from error
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.ELOOP):
            raise ChildFailedError("not_found", "this is no regular file") from error
        # The text names hosts and keys of the operator, which are not the asker's to know.
        raise ChildFailedError("unreachable", type(error).__name__) from error
    stdout.write(json.dumps({"bytes": count}).encode())


def _open(header: dict[str, Any]) -> Any:
    url, scheme = header["url"], header["scheme"]
    if scheme == "file":
        return _open_local(Path(url.removeprefix("file://")), header["prefixes"])
    # Here, because only other addresses pay for this import.
    import fsspec

    system = fsspec.filesystem(scheme, skip_instance_cache=True, **header["options"])
    return system.open(url, "rb", block_size=4 << 20, cache_type="readahead")


def _open_local(path: Path, prefixes: list[str]) -> BinaryIO:
    """Open a regular file that really lies below a prefix, wherever links lead."""
    real = Path(os.path.realpath(path, strict=True))  # a circle of links is an OSError here
    allowed = [Path(prefix.removeprefix("file://")).resolve() for prefix in prefixes]
    if not any(real.is_relative_to(folder) for folder in allowed):
        raise PermissionError(errno.EACCES, "a link leads out of the folder")
    # Without waiting for the other end of a pipe; nothing may be exchanged for a link meanwhile.
    number = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    file = os.fdopen(number, "rb")
    if not os.path.isfile(number):  # of the open file, not of a name
        file.close()
        raise IsADirectoryError(errno.EISDIR, "no regular file")
    return file


if __name__ == "__main__":
    serve(copy)
