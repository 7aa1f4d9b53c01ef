"""The options that several commands share, and how their values are read."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.exits import CommandError

Folder = Annotated[
    Path, typer.Option("--dir", help="Directory of the embedded stack.", show_default=True)
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout.")]
DEFAULT_FOLDER = Path(".apwa")


def pair(text: str, what: str) -> tuple[str, str]:
    """Return name and value of ``NAME=VALUE``; CommandError for anything else.

    `what` says how it is to be written, such as ``a label as KEY=VALUE``.
    """
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise CommandError(f"write {what}, not {text}")
    return name, value
