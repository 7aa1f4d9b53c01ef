"""`apwa keys`: API keys. The first is made on the database itself, as nothing opens the API yet."""

from typing import Annotated

import typer

from services.cli.client import ApiClient, Json
from services.cli.exits import CommandError
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.own_database import own_database
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say
from shared.settings import load_settings

app = typer.Typer(help="API keys: create, list, show, rotate, revoke.", no_args_is_help=True)
KeyId = Annotated[str, typer.Argument(help="Id of a key, key_...")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scopes: Annotated[
        str, typer.Option(help="Scopes, separated by commas, or viewer, operator, admin.")
    ] = "operator",
    project: Annotated[str, typer.Option(help="Name of the project.")] = "default",
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Make a key; it is shown once and stored as a hash only.

    Through the API of APWA_API_URL where that is set, else on the database itself.
    """
    if load_settings(stores=False).api_url:
        _create_through_api(require_client(folder), name, scopes, project, as_json)
        return
    from shared.actions.actor import ROLES  # heavy: not for `apwa --help`
    from shared.actions.keys import DEFAULT_PROJECT, create_key, ensure_default_project
    from shared.actions.project_tools import find_project

    wanted = ROLES.get(scopes) or tuple(scope.strip() for scope in scopes.split(","))
    with own_database(folder, "apwa-keys") as engine, engine.begin() as connection:
        project_id = (
            ensure_default_project(connection)
            if project == DEFAULT_PROJECT
            else find_project(connection, project).id
        )
        key_id, secret = create_key(connection, project_id, name, wanted, actor="operator")
    if as_json:
        print_json({"id": key_id, "name": name, "scopes": list(wanted), "key": secret})
        return
    out.print(secret, markup=False)
    say(f"{key_id} with {', '.join(wanted)}; keep it, it is not shown again")


@app.command("list")
def list_keys(
    project: Annotated[
        str | None, typer.Option(help="Id of another project, for an operator's key.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """List the keys of a project, newest first; ended ones too."""
    found = list(require_client(folder).every("list_api_keys", project=project))
    if as_json:
        print_json({"items": found})
        return
    for key in found:
        _show(key)


@app.command()
def show(key_id: KeyId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Show one key, without its secret."""
    key = require_client(folder).do("get_api_key", key_id=key_id)
    if as_json:
        print_json(key)
        return
    _show(key)


@app.command()
def rotate(
    key_id: KeyId,
    overlap_s: Annotated[
        int, typer.Option(min=0, max=604_800, help="Seconds in which both secrets are good.")
    ] = 86_400,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Give a key another secret, shown once; the former one is good for a while."""
    key = require_client(folder).do("rotate_api_key", key_id=key_id, body={"overlap_s": overlap_s})
    if as_json:
        print_json(key)
        return
    out.print(key["secret"], markup=False)
    until = key["former_secret_until"]
    say(f"{key_id}: the former secret is good until {until}" if until else f"{key_id} is rotated")


@app.command()
def revoke(key_id: KeyId, folder: Folder = DEFAULT_FOLDER) -> None:
    """End a key at once."""
    require_client(folder).do("revoke_api_key", key_id=key_id)
    say(f"{key_id} opens nothing any more")


def _create_through_api(
    client: ApiClient, name: str, scopes: str, project: str, as_json: bool
) -> None:
    from shared.actions.actor import ROLES  # heavy: not for `apwa --help`

    body: Json = {"name": name}
    if scopes in ROLES:
        body["role"] = scopes
    else:
        body["scopes"] = [scope.strip() for scope in scopes.split(",")]
    if project != "default":
        found = [one["id"] for one in client.every("list_projects") if one["name"] == project]
        if not found:
            raise CommandError(f"this key sees no project called {project}")
        body["project"] = found[0]
    made = client.do("create_api_key", body=body)
    if as_json:
        print_json({**made, "key": made["secret"]})
        return
    out.print(made["secret"], markup=False)
    say(f"{made['id']} with {', '.join(made['scopes'])}; keep it, it is not shown again")


def _show(key: Json) -> None:
    used = f", used {key['last_used_at']}" if key["last_used_at"] else ", never used"
    scopes = key["role"] or ", ".join(key["scopes"])
    out.print(f"{key['id']}  {key['status']:<8} {key['name']}: {scopes}{used}", markup=False)
