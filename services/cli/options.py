"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[
    Path, typer.Option("--dir", help="Directory of the embedded stack.", show_default=True)
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout.")]
DEFAULT_FOLDER = Path(".apwa")
