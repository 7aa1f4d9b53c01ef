"""`apwa jobs events, subtask, view-token`: looking into one job."""

from typing import Annotated

import typer

from services.cli.client import Json, translated
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say

JobId = Annotated[str, typer.Argument(help="Id of a job, job_...")]


def subtask(
    job_id: JobId,
    stage: Annotated[str, typer.Argument(help="Name of the stage.")],
    unit: Annotated[int, typer.Argument(min=0, help="Number of the unit, from 0.")],
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Show one subtask as JSON: input, prompt, tries, raw answers, output, lineage."""
    print_json(require_client(folder).do("get_subtask", job_id=job_id, stage=stage, unit=unit))


def events(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job is final.")] = False,
    after: Annotated[
        str | None, typer.Option(help="With --follow: only what came after this event's id.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Write the events of a job, one line of JSON each; with --follow as they come."""
    client = require_client(folder)
    if not follow:
        for item in client.every("list_events", job_id=job_id, accept="application/json"):
            print_json(item)
        return
    with translated():
        for event in client.api.jobs.get(job_id).events(after):
            print_json({"id": event.id, "type": event.type, "data": event.data})


def view_token(
    job_id: JobId,
    ttl_s: Annotated[int | None, typer.Option(min=1, help="Seconds it is valid.")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Make a token with which others may look at this one job, without a key."""
    body: Json = {} if ttl_s is None else {"ttl_s": ttl_s}
    made = require_client(folder).do("create_view_token", job_id=job_id, body=body)
    if as_json:
        print_json(made)
        return
    out.print(made["token"], markup=False)
    say(f"valid until {made['expires_at']}; it is not shown again")
