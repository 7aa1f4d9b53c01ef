"""`apwa jobs ...`: what is done with a job while it runs, and what is made of one that ended."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.given_files import read_object
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.target import require_client
from services.cli.terminal import print_json, say

JobId = Annotated[str, typer.Argument(help="Id of a job, job_...")]


def pause(job_id: JobId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Make no further call of a job until it is resumed."""
    _act(folder, job_id, "pause", as_json)


def resume(job_id: JobId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Go on with a paused job."""
    _act(folder, job_id, "resume", as_json)


def finalize(job_id: JobId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """End a job now with what is there; its finish policy says how it ends."""
    _act(folder, job_id, "finalize", as_json)


def retry(
    job_id: JobId,
    error_code: Annotated[
        str | None, typer.Option(help="Only units that failed with this code.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Another model for what runs again.")] = None,
    max_output_tokens: Annotated[int | None, typer.Option(min=1)] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Run the failed units of a final job again, in a new job that keeps the good ones."""
    overrides = {"model": model, "max_output_tokens": max_output_tokens}
    body = {
        "select": {"error_code": error_code} if error_code else "failed",
        "overrides": {name: value for name, value in overrides.items() if value is not None},
    }
    _made(require_client(folder).post(f"/v1/jobs/{job_id}/retry", body), as_json)


def fork(
    job_id: JobId,
    changes: Annotated[Path, typer.Argument(help="JSON with inputs, plan, policy: what differs.")],
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Make a job with other inputs, plan or policy; units that are the same are not run again."""
    body = read_object(changes)
    _made(require_client(folder).post(f"/v1/jobs/{job_id}/fork", body), as_json)


def delete(job_id: JobId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Erase a final job with everything it came with and made; a tombstone stays."""
    job = require_client(folder).delete(f"/v1/jobs/{job_id}")
    if as_json:
        print_json(job)
        return
    say(f"{job_id} is deleted")


def _act(folder: Any, job_id: str, verb: str, as_json: bool) -> None:
    job = require_client(folder).post(f"/v1/jobs/{job_id}/{verb}")
    if as_json:
        print_json(job)
        return
    say(f"{job_id} is {job['status']}")


def _made(job: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(job)
        return
    say(f"{job['id']} is {job['status']}; apwa jobs watch {job['id']}")
