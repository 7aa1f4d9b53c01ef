"""`apwa usage` and `apwa audit-log`: what was used, and who did what."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.client import Json
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.target import require_client
from services.cli.terminal import out, print_json

From = Annotated[str | None, typer.Option("--from", help="From this time on, RFC 3339.")]
To = Annotated[str | None, typer.Option("--to", help="Before this time.")]
Project = Annotated[
    str | None, typer.Option(help="Id of a project, for a key with the scope system.")
]


def usage(
    by: Annotated[
        str, typer.Option(help="project, key, model, capability, day or label.KEY.")
    ] = "day",
    since: From = None,
    until: To = None,
    project: Project = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Show what models were asked and what that cost, in groups."""
    asked = {"group_by": by, "from": since, "to": until, "project": project}
    query = {name: value for name, value in asked.items() if value is not None}
    found = list(require_client(folder).pages("/v1/usage", query))
    if as_json:
        print_json({"items": found})
        return
    table = Table(box=None, header_style="bold")
    table.add_column(by, no_wrap=True)
    for name in ("jobs", "calls", "tokens in", "tokens out", "USD", "USD unknown"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found:
        table.add_row(escape(row["group"] or "(none)"), *_numbers(row))
    out.print(table)


def audit_log(
    object_id: Annotated[
        str | None, typer.Option("--object", help="Only what was done to this id.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help="Only what this actor did, as key:key_...")
    ] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, as job.create.")] = None,
    since: From = None,
    until: To = None,
    project: Project = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 50,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Show who did what, newest first; for keys with the scope admin."""
    page = require_client(folder).get(
        "/v1/audit-log",
        {
            "object": object_id, "actor": actor, "action": action, "from": since, "to": until,
            "project": project, "limit": limit,
        },
    )  # fmt: skip
    if as_json:
        print_json(page)
        return
    for one in page["items"]:
        out.print(
            f"{one['at']}  {one['actor']}  {one['action']}  {one['object']}", markup=False
        )  # fmt: skip


def _numbers(row: Json) -> list[str]:
    dollars = [f"{row[name] / 1e6:.4f}" for name in ("cost_microusd", "cost_unknown_microusd")]
    counts = [f"{row[name]:,}" for name in ("jobs", "calls", "input_tokens", "output_tokens")]
    return [*counts, *dollars]
