"""`apwa jobs estimate, edit`: what a job would cost, and what may change while it runs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import Json, translated
from services.cli.commands.run import store_inputs
from services.cli.exits import CommandError
from services.cli.given_files import read_object
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder, pair
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say
from services.cli.uploads import parse_input

JobId = Annotated[str, typer.Argument(help="Id of a job, job_...")]
Labels = Annotated[
    list[str] | None, typer.Option("--label", help="KEY=VALUE, or KEY= to remove it; repeatable.")
]


def estimate(
    goal: Annotated[str | None, typer.Argument(help="What to do, in plain language.")] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", help="FILE, FOLDER, NAME=FILE or NAME=tbl_...; repeatable."),
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="A plan instead of a goal.")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Tell what a job would do and cost; no job is made, though its inputs are stored."""
    if goal is None and plan is None:
        raise CommandError("say what to do: a goal, or --plan FILE")
    body: Json = {"goal": goal} if goal else {}
    if plan:
        body["plan"] = read_object(plan)
    client = require_client(folder)
    body["inputs"] = store_inputs(client, [parse_input(text) for text in inputs or []], None)
    found = client.do("estimate_job", body=body)
    if as_json:
        print_json(found)
        return
    for stage in found["plan"].get("stages") or []:
        out.print(f"stage {stage['name']}: {stage['capability']}", markup=False)
    for finding in found["findings"]:
        out.print(f"{finding['severity']}  {finding['detail']}", markup=False)
    for name, value in found["price"].items():
        if isinstance(value, (int, float, str)):
            out.print(f"{name}: {value}", markup=False)


def edit(
    job_id: JobId,
    budget_usd: Annotated[float | None, typer.Option(min=0, help="What it may spend.")] = None,
    deadline_s: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds after its creation.")
    ] = None,
    priority: Annotated[int | None, typer.Option(min=1, max=10)] = None,
    labels: Labels = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Change budget, deadline, priority or labels of a job that is not final."""
    changes: dict[str, Any] = {"deadline_s": deadline_s, "priority": priority}
    changes = {name: value for name, value in changes.items() if value is not None}
    if budget_usd is not None:
        changes["budget"] = {"usd": budget_usd}
    if labels:
        changes["labels"] = dict(map(_label, labels))
    if not changes:
        raise CommandError("say what changes: --budget-usd, --deadline-s, --priority or --label")
    client = require_client(folder)
    with translated():
        job = client.api.jobs.get(job_id).edit(**changes)
    if as_json:
        print_json(job.data)
        return
    say(f"{job_id} is changed; it is {job.status}")


def _label(text: str) -> tuple[str, str | None]:
    name, value = pair(text, "a label as KEY=VALUE")
    return name, value or None
