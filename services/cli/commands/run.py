"""`apwa run`: uploads the inputs, submits the job, watches it, saves the result."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import ApiClient, Json
from services.cli.commands.tables import describe
from services.cli.exits import OF_STATUS, CommandError
from services.cli.given_files import read_object
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.results import first_rows, format_for, save_results, show_rows
from services.cli.summary import show_summary
from services.cli.target import borrowed_client
from services.cli.terminal import out, print_json, say
from services.cli.uploads import Input, parse_input, upload_table
from services.cli.watching import watch


def run(
    goal: Annotated[str | None, typer.Argument(help="What to do, in plain language.")] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", help="FILE, FOLDER, NAME=FILE or NAME=tbl_...; repeatable."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the one input.")] = None,
    key: Annotated[
        str | None, typer.Option(help="Unique column of the one input; kept in the result.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="A plan to run instead of planning.")] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="File for the result; .jsonl .json .csv .parquet."),
    ] = None,
    follow: Annotated[bool, typer.Option("--watch/--no-watch", help="Wait for the end.")] = True,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Workers of a stack started for this run.")
    ] = 2,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Run one job over files and wait for its result.

    Uses the API of APWA_API_URL, else the stack of --dir, else starts that stack for this run.
    The exit code tells how the job ended: 0 succeeded, 1 failed, 3 partial, 4 cancelled.
    """
    sources = _named([parse_input(text) for text in inputs or []], name)
    request = _request(goal, plan)
    format_name = format_for(output, None)
    with borrowed_client(folder, say, workers=workers) as (client, started):
        if started and not follow:
            raise CommandError("--no-watch needs a stack that stays: start `apwa up` first")
        request["inputs"] = store_inputs(client, sources, key)
        job = client.post("/v1/jobs", request)
        say(f"job {job['id']}")
        if follow:
            job = _watch(client, job["id"])
        saved = _save(client, job, output, format_name)
        _report(client, job, saved, as_json=as_json, follow=follow)
    if follow:
        raise typer.Exit(OF_STATUS[job["status"]])


def _named(sources: list[Input], name: str | None) -> list[Input]:
    if name:
        if len(sources) != 1:
            raise CommandError("--name is for exactly one --input; else write NAME=FILE")
        return [Input(name, sources[0].path, sources[0].table_id)]
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise CommandError("two inputs have one name; write NAME=FILE")
    return sources


def _request(goal: str | None, plan: Path | None) -> Json:
    request: dict[str, Any] = {"goal": goal} if goal else {}
    if plan:
        request["plan"] = read_object(plan)
    if not request:
        raise CommandError("say what to do: a goal, or --plan FILE")
    return request


def store_inputs(client: ApiClient, sources: list[Input], key: str | None) -> Json:
    """Upload every source and return the `inputs` of a job's body."""
    if key and len(sources) != 1:
        raise CommandError("--key is for exactly one --input")
    stored = {}
    for source in sources:
        table = upload_table(client, source)
        say(f"stored {describe(table)}")
        stored[source.name] = {"table": table["id"]} | ({"key": key} if key else {})
    return stored


def _watch(client: ApiClient, job_id: str) -> Json:
    try:
        return watch(client, job_id)
    except KeyboardInterrupt:
        say(f"\nstopped watching; the job goes on while a stack runs: apwa jobs watch {job_id}")
        raise


def _save(client: ApiClient, job: Json, output: str | None, format_name: str) -> str | None:
    if not output or not job.get("result"):
        return None
    save_results(client, job["id"], output, format_name)
    return output


def _report(
    client: ApiClient, job: Json, saved: str | None, *, as_json: bool, follow: bool
) -> None:
    if as_json:
        print_json({**job, "output": saved})
        return
    if not follow:
        out.print(job["id"])
        say(f"follow it with: apwa jobs watch {job['id']}")
        return
    if saved == "-":
        return
    if not saved and (job.get("result") or {}).get("rows"):
        out.print("\nfirst rows of the result:")
        show_rows(first_rows(client, job["id"], 10))
    show_summary(client, job, saved)
