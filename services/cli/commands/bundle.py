"""`apwa jobs bundle`: fetches the record of a final job as an archive."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import DEFAULT_FOLDER, Folder
from services.cli.results import save
from services.cli.target import require_client
from services.cli.terminal import say


def bundle(
    job_id: Annotated[str, typer.Argument(help="Id of a final job, job_...")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; JOB.zip when silent.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Write the record of a final job as an archive, which `apwa replay` checks."""
    final = output or Path(f"{job_id}.zip")
    written = save(require_client(folder), f"/v1/jobs/{job_id}/bundle", {}, str(final))
    say(f"wrote {written:,} bytes to {final}; check them with: apwa replay {final}")
