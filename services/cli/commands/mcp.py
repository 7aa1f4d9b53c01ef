"""`apwa mcp`: APWA as an MCP server on stdin and stdout; and what MCP servers workers found."""

from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.own_database import own_database
from services.cli.target import require_client
from services.cli.terminal import out, print_json

app = typer.Typer(help="APWA as an MCP server (stdin, stdout); tools of other servers.")


@app.callback(invoke_without_command=True)
def serve(context: typer.Context, folder: Folder = DEFAULT_FOLDER) -> None:
    """Serve MCP on stdin and stdout until stdin ends.

    Speaks to the API of APWA_API_URL with APWA_API_KEY, else to the stack of --dir.
    """
    if context.invoked_subcommand is not None:
        return
    from services.cli.mcp_server.tools import make_server  # heavy: not for `apwa --help`

    require_client(folder)  # says now what is missing, not at the first call
    make_server(lambda: require_client(folder)).run("stdio")


@app.command("tools")
def list_tools(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Show the tools of the MCP servers that workers are connected to, on the database itself."""
    from shared.database import mcp_tools  # heavy: not for `apwa --help`

    with own_database(folder, "apwa-mcp") as engine, engine.connect() as connection:
        found = mcp_tools.all_tools(connection)
    if as_json:
        print_json({"tools": [_facts(tool) for tool in found]})
        return
    table = Table(box=None, header_style="bold")
    for column in ("tool", "effects"):
        table.add_column(column, no_wrap=True)
    table.add_column("description", no_wrap=True, overflow="ellipsis")
    for tool in found:
        effects = "none" if tool.read_only else "external"
        table.add_row(tool.name, effects, escape(" ".join(tool.description.split())))
    out.print(table, soft_wrap=False)


def _facts(tool: Any) -> dict[str, Any]:
    return {
        "name": tool.name,
        "server": tool.server,
        "tool": tool.tool,
        "effects": "none" if tool.read_only else "external",
        "description": tool.description,
    }
