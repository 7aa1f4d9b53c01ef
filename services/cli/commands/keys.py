"""`apwa keys`: API keys, made on the database itself, for there is none yet to ask the API with."""

from typing import Annotated

import typer

from services.cli.embedded.health import StoreUnreachableError, require_database
from services.cli.embedded.stack_file import running_stack
from services.cli.exits import CommandError, Exit
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.terminal import out, print_json, say
from shared.settings import child_environ, load_settings

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
    from shared.actions.actor import ROLES
    from shared.actions.keys import create_key, ensure_default_project
    from shared.actions.refusals import Refusal
    from shared.database.engine import connect

    wanted = ROLES.get(scopes) or tuple(scope.strip() for scope in scopes.split(","))
    settings = load_settings(child_environ(**_stores(folder)))
    try:
        require_database(settings.database_url)
    except StoreUnreachableError as error:
        raise CommandError(str(error), Exit.UNREACHABLE) from error
    engine = connect(settings.sqlalchemy_url, pool_size=1, application_name="apwa-keys")
    try:
        with engine.begin() as connection:
            project_id = ensure_default_project(connection)
            key_id, secret = create_key(connection, project_id, name, wanted)
    except Refusal as refusal:
        problems = "; ".join(problem.detail for problem in refusal.problems)
        raise CommandError(problems or str(refusal)) from refusal
    finally:
        engine.dispose()
    if as_json:
        print_json({"id": key_id, "name": name, "scopes": list(wanted), "key": secret})
        return
    out.print(secret)
    say(f"{key_id} with {', '.join(wanted)}; keep it, it is not shown again")


def _stores(folder: Folder) -> dict[str, str]:
    """Return the stores' addresses: those set, else those of the running stack."""
    settings = load_settings(stores=False)
    if settings.database_url:
        return {}
    stack = running_stack(folder)
    if stack is None:
        raise CommandError(
            f"nothing runs on {folder} and APWA_DATABASE_URL is not set", Exit.UNREACHABLE
        )
    return {"database_url": stack.database_url, "redis_url": stack.redis_url}
