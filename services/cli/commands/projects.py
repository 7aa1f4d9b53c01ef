"""`apwa projects`: what an operator may say of a project; some of it on the database itself."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.client import Json
from services.cli.exits import CommandError
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.own_database import own_database
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say
from shared.settings import load_settings

if TYPE_CHECKING:
    from shared.database.projects import ProjectRecord

app = typer.Typer(help="Projects.", no_args_is_help=True)
ProjectId = Annotated[str, typer.Argument(help="Id of a project, prj_...")]
Weight = Annotated[int | None, typer.Option(min=1, max=1000, help="Its share against others'.")]
QuotaOptions = Annotated[
    list[str] | None,
    typer.Option("--quota", help="NAME=NUMBER (0: no limit), or NAME= for the default; repeats."),
]
BudgetUsd = Annotated[
    float | None, typer.Option(min=0, help="US dollars a job may spend that does not say.")
]


@app.command("list")
def list_projects(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Show every project, its weight, and what it allows.

    Through the API of APWA_API_URL where that is set, else from the database itself.
    """
    if load_settings(stores=False).api_url:
        _list_through_api(list(require_client(folder).every("list_projects")), as_json)
        return
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
    every: Annotated[
        bool, typer.Option("--all", help="Allow every tool but those of MCP servers.")
    ] = False,
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


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    weight: Weight = None,
    quotas: QuotaOptions = None,
    default_budget_usd: BudgetUsd = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Make a project; its first key comes from `apwa keys create --project`."""
    body = {"name": name, **_changes(weight, quotas, default_budget_usd)}
    _told(require_client(folder).do("create_project", body=body), as_json)


@app.command()
def show(project_id: ProjectId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Show a project and the quotas that hold for it."""
    found = require_client(folder).do("get_project", project_id=project_id)
    if as_json:
        print_json(found)
        return
    out.print(f"{found['id']}  {found['name']}: weight {found['weight']}", markup=False)
    for quota, number in found["quotas"].items():
        own = " (its own)" if quota in found["own_quotas"] else ""
        out.print(f"  {quota:<24} {number or 'no limit'}{own}", markup=False)


@app.command()
def edit(
    project_id: ProjectId,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    weight: Weight = None,
    allow_external: Annotated[
        bool | None, typer.Option(help="Whether its agents may act outside.")
    ] = None,
    quotas: QuotaOptions = None,
    default_budget_usd: BudgetUsd = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Change a project; what is not named stays."""
    body = _changes(weight, quotas, default_budget_usd)
    body |= {"name": name} if name is not None else {}
    body |= {"allow_external": allow_external} if allow_external is not None else {}
    _told(require_client(folder).do("edit_project", project_id=project_id, body=body), as_json)


def _list_through_api(found: list[Json], as_json: bool) -> None:
    if as_json:
        print_json({"projects": found})
        return
    for one in found:
        tools = "all" if one["tools"] is None else ", ".join(one["tools"]) or "none"
        outside = ", external effects" if one["allow_external"] else ""
        out.print(f"{one['name']}: weight {one['weight']}, tools {tools}{outside}", markup=False)


def _changes(
    weight: int | None, quotas: list[str] | None, default_budget_usd: float | None
) -> Json:
    body: Json = {} if weight is None else {"weight": weight}
    if quotas:
        body["quotas"] = dict(map(_quota, quotas))
    if default_budget_usd is not None:
        body["default_budget"] = {"usd": default_budget_usd}
    return body


def _quota(text: str) -> tuple[str, int | None]:
    name, mark, number = text.partition("=")
    if not mark or not (number == "" or number.isdecimal()):
        raise CommandError(f"write a quota as NAME=NUMBER or NAME=, not {text}")
    return name, int(number) if number else None


def _told(project: Json, as_json: bool) -> None:
    if as_json:
        print_json(project)
        return
    say(f"{project['id']} is {project['name']}, weight {project['weight']}")


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
