"""`apwa secrets`: stored secrets and the keys that seal them."""

import typer

from services.cli.embedded.private_file import own_secret_key
from services.cli.exits import CommandError
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.own_database import own_database
from services.cli.terminal import print_json, say
from shared.settings import load_settings

app = typer.Typer(help="Stored secrets and the keys that seal them.", no_args_is_help=True)


@app.callback()
def _secrets() -> None:
    """Keep `renew` a sub-command although it is the only one."""


@app.command()
def renew(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Seal every stored secret anew with the first key of APWA_SECRET_KEYS.

    Afterwards the other keys can be taken out of the setting.
    """
    from shared.actions.renew_secrets import renew_secrets  # heavy: not for `apwa --help`
    from shared.secret_box import SecretsNotConfigured, SecretUnreadable

    settings = load_settings(stores=False)
    keys = settings.secret_keys or ("" if settings.database_url else own_secret_key(folder))
    with own_database(folder, "apwa-secrets") as engine, engine.begin() as connection:
        try:
            renewed = renew_secrets(connection, keys)
        except (SecretsNotConfigured, SecretUnreadable) as error:
            raise CommandError(f"{error}; nothing was changed") from error
    if as_json:
        print_json({"renewed": dict(renewed)})
    else:
        say(f"{renewed.total()} secrets are sealed with the newest key now")
