"""The database of a deployment, for the few commands no API can answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.embedded.health import StoreUnreachableError, require_database
from services.cli.embedded.stack_file import running_stack
from services.cli.exits import CommandError, Exit
from shared.settings import child_environ, load_settings

if TYPE_CHECKING:
    from shared.database.engine import Engine


@contextmanager
def own_database(folder: Path, application: str) -> "Iterator[Engine]":
    """Yield an engine on the database of the settings, else of the running stack of the folder.

    Raises CommandError where there is none or it does not answer; a refused verb ends the command
    with what was wrong.
    """
    from shared.actions.refusals import Refusal  # heavy: not for `apwa --help`
    from shared.database.engine import connect

    settings = load_settings(child_environ(**_stores(folder)))
    try:
        require_database(settings.database_url)
    except StoreUnreachableError as error:
        raise CommandError(str(error), Exit.UNREACHABLE) from error
    engine = connect(settings.sqlalchemy_url, pool_size=1, application_name=application)
    try:
        yield engine
    except Refusal as refusal:
        problems = "; ".join(problem.detail for problem in refusal.problems)
        raise CommandError(problems or str(refusal)) from refusal
    finally:
        engine.dispose()


def _stores(folder: Path) -> dict[str, str]:
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
