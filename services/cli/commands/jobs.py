"""`apwa jobs`: list, show, watch, read and cancel jobs; its other verbs are modules of theirs."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.commands import adjust, bundle, ledger, look, steer
from services.cli.exits import OF_STATUS
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.results import FORMATS, format_for, save_results
from services.cli.summary import show_summary
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say
from services.cli.watching import stages_of, watch

app = typer.Typer(help="Jobs: list, show, watch, results, steer.", no_args_is_help=True)
_ELSEWHERE: tuple[Callable[..., None], ...] = (
    adjust.estimate, adjust.edit,
    steer.pause, steer.resume, steer.finalize, steer.retry, steer.fork, steer.delete,
    ledger.stages, ledger.subtasks, ledger.failures,
    look.subtask, look.events, look.view_token, bundle.bundle,
)  # fmt: skip
for verb in _ELSEWHERE:
    app.command()(verb)
JobId = Annotated[str, typer.Argument(help="Id of a job, job_...")]


@app.command("ls")
def list_jobs(
    status: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    page = require_client(folder).get("/v1/jobs", {"status": status, "limit": limit})
    if as_json:
        print_json(page)
        return
    table = Table(box=None, header_style="bold")
    for name in ("job", "status", "units", "created"):
        table.add_column(name, no_wrap=True)
    table.add_column("goal", no_wrap=True, overflow="ellipsis")
    for job in page["items"]:
        progress = job.get("progress") or {}
        done = f"{progress.get('succeeded', 0)}/{progress.get('units', 0)}"
        goal = escape(str(job.get("goal") or "(a plan)"))
        table.add_row(job["id"], job["status"], done, job["created_at"][:19], goal)
    out.print(table, soft_wrap=False)


@app.command()
def show(job_id: JobId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Show one job and its ledger."""
    client = require_client(folder)
    job = client.get(f"/v1/jobs/{job_id}")
    if as_json:
        print_json({**job, "stages": stages_of(client, job_id)})
        return
    out.print(f"goal: {job.get('goal') or '(a plan)'}", markup=False)
    show_summary(client, job)


@app.command("watch")
def watch_job(job_id: JobId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Follow a job to its end; the exit code tells how it ended."""
    client = require_client(folder)
    job = watch(client, job_id)
    if as_json:
        print_json(job)
    else:
        show_summary(client, job)
    raise typer.Exit(OF_STATUS[job["status"]])


@app.command()
def results(
    job_id: JobId,
    output: Annotated[
        str, typer.Option("--output", "-o", help="File to write; its ending tells the format.")
    ] = "-",
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")
    ] = None,
    stage: Annotated[str | None, typer.Option(help="Another stage than the result's.")] = None,
    outcome: Annotated[str | None, typer.Option(help="succeeded (default), failed or all.")] = None,
    include: Annotated[str | None, typer.Option(help="lineage, input, or both.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Write the results of a job to a file or to stdout."""
    written = save_results(
        require_client(folder),
        job_id,
        output,
        format_for(output, format_name),
        stage=stage,
        outcome=outcome,
        include=include,
    )
    if output != "-":
        say(f"wrote {written:,} bytes to {output}")


@app.command()
def cancel(job_id: JobId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Cancel a job; what was settled stays readable."""
    job = require_client(folder).post(f"/v1/jobs/{job_id}/cancel")
    if as_json:
        print_json(job)
        return
    say(f"{job_id} is {job.get('status', 'cancelled')}")
