"""`apwa workflows`: define, list, show, delete and run named plans."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.client import Json
from services.cli.commands.run import store_inputs
from services.cli.exits import CommandError
from services.cli.given_files import read_object
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder, pair
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say
from services.cli.uploads import parse_input

app = typer.Typer(help="Workflows: named, versioned plans.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The workflow's name.")]
Version = Annotated[int | None, typer.Option(min=1, help="A version; the newest when left out.")]


@app.command()
def create(
    name: Name,
    plan: Annotated[Path | None, typer.Option(help="A plan as JSON.")] = None,
    goal: Annotated[str | None, typer.Option(help="A goal, with or instead of a plan.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    defaults: Annotated[
        Path | None, typer.Option(help="Options of its jobs as JSON: policy, models, approval, ...")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Define a workflow, or the next version of one."""
    if plan is None and goal is None:
        raise CommandError("say what to do: --plan FILE or --goal TEXT")
    body: dict[str, Any] = {"name": name, "description": description, "goal": goal}
    body["plan"] = read_object(plan) if plan else None
    body["defaults"] = read_object(defaults) if defaults else {}
    made = require_client(folder).post("/v1/workflows", body)
    if as_json:
        print_json(made)
        return
    say(f"{made['name']} version {made['version']}")


@app.command("list")
def list_workflows(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """List workflows by name, each with its newest version."""
    _list(list(require_client(folder).pages("/v1/workflows")), as_json)


@app.command()
def versions(name: Name, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """List the versions of a workflow, newest first."""
    _list(list(require_client(folder).pages(f"/v1/workflows/{name}/versions")), as_json)


@app.command()
def get(name: Name, version: Version = None, folder: Folder = DEFAULT_FOLDER) -> None:
    """Show one version of a workflow as JSON."""
    print_json(require_client(folder).get(f"/v1/workflows/{name}", {"version": version}))


@app.command()
def delete(name: Name, folder: Folder = DEFAULT_FOLDER) -> None:
    """Delete a workflow with all its versions; jobs keep what they ran."""
    require_client(folder).delete(f"/v1/workflows/{name}")
    say(f"{name} is deleted")


@app.command()
def run(
    name: Name,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", help="FILE, FOLDER, NAME=FILE or NAME=tbl_...; repeatable."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Unique column of the one input.")] = None,
    version: Version = None,
    label: Annotated[list[str] | None, typer.Option(help="KEY=VALUE; repeatable.")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Run a workflow on files or stored tables; `apwa jobs watch` follows the job."""
    client = require_client(folder)
    labels = dict(pair(text, "a label as KEY=VALUE") for text in label or [])
    body: dict[str, Any] = {"labels": labels, "version": version}
    body["inputs"] = store_inputs(client, [parse_input(text) for text in inputs or []], key)
    job = client.post(f"/v1/workflows/{name}/runs", body)
    if as_json:
        print_json(job)
        return
    say(f"{job['id']} is {job['status']}; apwa jobs watch {job['id']}")


def _list(found: list[Json], as_json: bool) -> None:
    if as_json:
        print_json({"items": found})
        return
    table = Table(box=None, header_style="bold")
    for column in ("workflow", "version", "created", "inputs"):
        table.add_column(column, no_wrap=True)
    table.add_column("description", no_wrap=True, overflow="ellipsis")
    for one in found:
        inputs = "any" if one["inputs"] is None else ", ".join(one["inputs"])
        told = escape(one["description"] or one["goal"] or "")
        table.add_row(one["name"], str(one["version"]), one["created_at"][:19], inputs, told)
    out.print(table, soft_wrap=False)
