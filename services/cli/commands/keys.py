"""`apwa keys`: API keys, made on the database itself, for there is none yet to ask the API with."""

from typing import Annotated

import typer

from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.own_database import own_database
from services.cli.terminal import out, print_json, say

app = typer.Typer(help="API keys.", no_args_is_help=True)


@app.callback()
def _keys() -> None:
    """Keep `create` a sub-command although it is the only one."""


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scopes: Annotated[
        str, typer.Option(help="Scopes, separated by commas, or viewer, operator, admin.")
    ] = "operator",
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Make a key of the project `default`; it is shown once and stored as a hash only."""
    from shared.actions.actor import ROLES  # heavy: not for `apwa --help`
    from shared.actions.keys import create_key, ensure_default_project

    wanted = ROLES.get(scopes) or tuple(scope.strip() for scope in scopes.split(","))
    with own_database(folder, "apwa-keys") as engine, engine.begin() as connection:
        project_id = ensure_default_project(connection)
        key_id, secret = create_key(connection, project_id, name, wanted)
    if as_json:
        print_json({"id": key_id, "name": name, "scopes": list(wanted), "key": secret})
        return
    out.print(secret)
    say(f"{key_id} with {', '.join(wanted)}; keep it, it is not shown again")
