"""`apwa jobs bundle`: fetches the record of a final job as an archive."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import DEFAULT_FOLDER, Folder
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
    client, final = require_client(folder), output or Path(f"{job_id}.zip")
    draft = final.with_name(f".{final.name}.part")
    try:
        with draft.open("wb") as file:
            written = client.download(f"/v1/jobs/{job_id}/bundle", {}, file)
        draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)
    say(f"wrote {written:,} bytes to {final}; check them with: apwa replay {final}")
