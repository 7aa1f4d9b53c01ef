"""`apwa projects`: what an operator may say of a project, on the database itself."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.exits import CommandError
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.own_database import own_database
from services.cli.terminal import out, print_json

if TYPE_CHECKING:
    from shared.database.projects import ProjectRecord

app = typer.Typer(help="Projects.", no_args_is_help=True)


@app.command("list")
def list_projects(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Show every project, its weight, and what it allows."""
    from shared.database import projects  # heavy: not for `apwa --help`

    with own_database(folder, "apwa-projects") as engine, engine.connect() as connection:
        found = projects.all_projects(connection)
    if as_json:
        print_json({"projects": [_facts(project) for project in found]})
        return
    for project in found:
        outside = ", external effects" if project.allow_external else ""
        out.print(
            f"{project.name}: weight {project.weight}, tools {_tools(project)}{outside}",
            markup=False,
        )


@app.command("tools")
def allow_tools(
    name: Annotated[str, typer.Argument(help="The project's name.")] = "default",
    only: Annotated[
        str, typer.Option(help="The tools its agents may use and no others, separated by commas.")
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Allow every tool there is.")] = False,
    none: Annotated[bool, typer.Option("--none", help="Allow no tool at all.")] = False,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Show or change which tools the agents of a project may use."""
    from shared.actions import project_tools  # heavy: not for `apwa --help`

    given = [bool(only), every, none]
    if sum(given) > 1:
        raise CommandError("give one of --only, --all and --none")
    with own_database(folder, "apwa-projects") as engine, engine.begin() as connection:
        if any(given):
            named = [tool.strip() for tool in only.split(",") if tool.strip()]
            wanted = None if every else named
            project = project_tools.allow_tools(connection, name, wanted, actor="operator")
        else:
            project = project_tools.find_project(connection, name)
    if as_json:
        print_json(_facts(project))
        return
    out.print(f"{project.name}: tools {_tools(project)}", markup=False)


def _tools(project: "ProjectRecord") -> str:
    if project.tools is None:
        return "all"
    return ", ".join(project.tools) or "none"


def _facts(project: "ProjectRecord") -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "weight": project.weight,
        "allow_external": project.allow_external,
        "tools": None if project.tools is None else list(project.tools),
    }
