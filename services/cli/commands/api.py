"""`apwa api`: the API itself, and any operation of it by its name."""

from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.client import translated
from services.cli.exits import CommandError
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder, pair
from services.cli.target import require_client
from services.cli.terminal import out, print_json

app = typer.Typer(help="The API: live, ready, version, models, call, ...", no_args_is_help=True)


@app.command()
def live(folder: Folder = DEFAULT_FOLDER) -> None:
    """Tell whether the API answers."""
    print_json(require_client(folder).do("livez"))


@app.command()
def ready(folder: Folder = DEFAULT_FOLDER) -> None:
    """Tell whether its database, schema and broker are fine."""
    print_json(require_client(folder).do("readyz"))


@app.command()
def version(folder: Folder = DEFAULT_FOLDER) -> None:
    """Tell what runs there."""
    print_json(require_client(folder).do("version"))


@app.command()
def capabilities(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """List what its workers can run."""
    found = list(require_client(folder).every("list_capabilities"))
    if as_json:
        print_json({"items": found})
        return
    for one in found:
        out.print(f"{one['name']:<12} {one['description']}", markup=False)


@app.command()
def models(folder: Folder = DEFAULT_FOLDER) -> None:
    """Show its model endpoints as JSON: limits, prices, abilities, and how they are right now."""
    print_json({"items": list(require_client(folder).every("list_models"))})


@app.command()
def metrics(folder: Folder = DEFAULT_FOLDER) -> None:
    """Write its metrics in the text format of Prometheus."""
    _show(require_client(folder).do("metrics", accept="text/plain"))


@app.command()
def call(
    operation: Annotated[str, typer.Argument(help="An operationId of the OpenAPI document.")],
    parameters: Annotated[
        list[str] | None, typer.Argument(help="NAME=VALUE, of the path and of the query.")
    ] = None,
    body: Annotated[Path | None, typer.Option(help="A file to send.")] = None,
    if_match: Annotated[str | None, typer.Option(help="An ETag.")] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Call any operation and write its answer; for what has no verb of its own shape."""
    if body is not None and not body.is_file():
        raise CommandError(f"there is no file {body}")
    query = dict(pair(text, "a parameter as NAME=VALUE") for text in parameters or [])
    client = require_client(folder)
    with translated():
        try:
            found = client.api.request(operation, query=query, body=body, if_match=if_match)
        except ValueError as error:
            raise CommandError(str(error)) from error
    _show(found)


def _show(found: Any) -> None:
    if isinstance(found, bytes):
        typer.echo(found, nl=False)
    elif found is not None:
        print_json(found)
