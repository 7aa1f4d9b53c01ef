"""`apwa models`: which model endpoints are configured, and what they can do."""

from typing import Annotated

import typer

from services.cli.exits import Exit
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.terminal import out, print_json, say

app = typer.Typer(help="Model endpoints.", no_args_is_help=True)


@app.command("list")
def list_endpoints(as_json: AsJson = False) -> None:
    """Show the configured endpoints; never their keys."""
    from services.cli import model_endpoints  # heavy: not for `apwa --help`

    endpoints = [model_endpoints.facts(item) for item in model_endpoints.configured()]
    if as_json:
        print_json({"endpoints": endpoints})
        return
    for told in endpoints:
        out.print(f"{told['name']}: {told['model']} at {told['base_url']}", markup=False)


@app.command("probe")
def probe_endpoints(
    name: Annotated[str, typer.Argument(help="One endpoint; all of them if left out.")] = "",
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Find out what an endpoint can do by a few small calls, and store it for the services."""
    from services.cli import model_endpoints  # heavy: not for `apwa --help`

    found = model_endpoints.probe_all(model_endpoints.chosen(name))
    stored = model_endpoints.store(folder, found)
    if as_json:
        print_json({"endpoints": [model_endpoints.report(item, stored) for item in found]})
    else:
        for item in found:
            out.print("\n".join(model_endpoints.lines(item)), markup=False)
        if not stored:
            say("not stored: no stack runs here and APWA_DATABASE_URL is not set")
    if any(item.failed for item in found):
        raise typer.Exit(Exit.FAILED)
