"""`apwa work`: pauses all work of a project or of the whole system, on the database itself."""

import getpass
from collections.abc import Callable
from typing import Annotated

import typer

from services.cli.exits import CommandError
from services.cli.options import DEFAULT_FOLDER, Folder
from services.cli.own_database import own_database
from services.cli.terminal import say

app = typer.Typer(help="All work of a project, or of the system: pause, resume.")
Project = Annotated[
    str | None, typer.Option(help="Name of a project; without it everything is meant.")
]


@app.command()
def pause(project: Project = None, folder: Folder = DEFAULT_FOLDER) -> None:
    """Begin nothing more until it is resumed; what is under way ends. No attempt is lost."""
    from shared.actions.hold_work import hold_work

    changed = _change(folder, project, hold_work)
    say(f"{_named(project)} is paused" if changed else f"{_named(project)} was paused already")


@app.command()
def resume(project: Project = None, folder: Folder = DEFAULT_FOLDER) -> None:
    """Go on with what `pause` stopped; jobs that were paused one by one stay so."""
    from shared.actions.hold_work import let_work_go

    changed = _change(folder, project, let_work_go)
    say(f"{_named(project)} goes on" if changed else f"{_named(project)} was not paused")


def _named(project: str | None) -> str:
    return "everything" if project is None else f"project {project}"


def _change(folder: Folder, project: str | None, action: Callable[..., bool]) -> bool:
    from shared.actions.refusals import NotFound

    with own_database(folder, "apwa-work") as engine, engine.begin() as connection:
        try:
            return action(connection, project, f"operator:{getpass.getuser()}")
        except NotFound as missing:
            raise CommandError(f"there is no project called {project}") from missing
