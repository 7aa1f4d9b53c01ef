"""`apwa serve` and `apwa migrate`: single services, for containers and many machines."""

import os
import sys
from enum import StrEnum

from services.cli.embedded.health import StoreUnreachableError, require_database
from services.cli.exits import CommandError, Exit
from services.cli.terminal import say
from shared.settings import load_settings


class ServiceName(StrEnum):
    """The services of this version."""

    API = "api"
    PLANNER = "planner"
    WORKER = "worker"
    COLLECTOR = "collector"
    NOTIFIER = "notifier"


def serve(service: ServiceName) -> None:
    """Become one service; it reads its settings from the environment (see .env.example)."""
    load_settings()  # all problems at once, before the service starts
    os.execv(sys.executable, [sys.executable, "-m", f"services.{service.value}"])  # noqa: S606


def migrate_database() -> None:
    """Bring the database of APWA_DATABASE_URL to the newest schema."""
    from services.cli.migrate import migrate, newest_revision  # alembic is slow to import

    settings = load_settings()
    try:
        require_database(settings.database_url)
    except StoreUnreachableError as error:
        raise CommandError(str(error), Exit.UNREACHABLE) from error
    applied = migrate(settings)
    say(f"the database {'is now' if applied else 'was already'} at {newest_revision()}")
