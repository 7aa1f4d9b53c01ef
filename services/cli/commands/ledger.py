"""`apwa jobs stages, subtasks, failures`: how the units of a job ended."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.summary import show_ledger
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say
from services.cli.watching import stages_of

JobId = Annotated[str, typer.Argument(help="Id of a job, job_...")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many.")]


def stages(job_id: JobId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Show the stages of a job with their units by outcome."""
    found = stages_of(require_client(folder), job_id)
    if as_json:
        print_json({"items": found})
        return
    show_ledger(found)


def subtasks(
    job_id: JobId,
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Only this outcome, such as failed.")] = None,
    limit: Limit = 20,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """List settled subtasks: outcome, attempts, time, error."""
    client = require_client(folder)
    page = client.do("list_subtasks", job_id=job_id, stage=stage, outcome=outcome, limit=limit)
    if as_json:
        print_json(page)
        return
    table = Table("stage", "unit", "outcome", "tries", "ms", "error", box=None, header_style="bold")
    for item in page["items"]:
        error = item["error"] or {}
        told = " ".join(str(error.get(name) or "") for name in ("code", "detail")).strip()
        numbers = (str(item["unit"]), item["outcome"], str(item["attempt"]))
        table.add_row(item["stage"], *numbers, str(item["duration_ms"]), escape(told[:80]))
    out.print(table, soft_wrap=False)


def failures(job_id: JobId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Show failed units in clusters, largest first, with what to do about them."""
    found = list(require_client(folder).every("list_failures", job_id=job_id))
    if as_json:
        print_json({"items": found})
        return
    for one in found:
        head = f"{one['count']:,} of {one['stage']}: {one['code'] or one['outcome']}"
        out.print(f"{head}, such as unit {one['sample_unit']}", markup=False)
        out.print(f"  {' '.join(str(one['sample']).split())}", markup=False)
        out.print(f"  {one['suggestion']}", markup=False)
    if not found:
        say("no unit failed")
