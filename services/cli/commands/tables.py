"""`apwa tables`: store and look at data tables."""

from typing import Annotated

import typer
from rich.table import Table

from services.cli.client import Json
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.results import FORMATS, format_for, save, show_rows
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say
from services.cli.uploads import Input, parse_input, upload_table

app = typer.Typer(help="Data tables: add, ls, show, rows, delete.", no_args_is_help=True)


@app.command()
def add(
    source: Annotated[str, typer.Argument(help="A file or folder, or NAME=FILE.")],
    name: Annotated[str | None, typer.Option(help="Name of the table.")] = None,
    format_name: Annotated[str | None, typer.Option("--format", help="When not told.")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Store a file, or a folder as one row per document."""
    given = parse_input(source)
    if name:
        given = Input(name, given.path, given.table_id)
    table = upload_table(require_client(folder), given, format_name)
    if as_json:
        print_json(table)
        return
    out.print(table["id"])
    say(describe(table))


@app.command("ls")
def list_tables(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """List tables, newest first."""
    page = require_client(folder).get("/v1/tables", {"limit": limit})
    if as_json:
        print_json(page)
        return
    shown = Table(box=None, header_style="bold")
    for name in ("table", "name", "rows", "bytes", "created"):
        right = name in ("rows", "bytes")
        shown.add_column(name, no_wrap=True, justify="right" if right else "left")
    for table in page["items"]:
        rows, size = table.get("rows") or 0, table.get("bytes") or 0
        created = str(table.get("created_at") or "")[:19]
        shown.add_row(table["id"], table["name"], f"{rows:,}", f"{size:,}", created)
    out.print(shown, soft_wrap=False)


@app.command()
def show(
    table_id: Annotated[str, typer.Argument(help="Id of a table, tbl_...")],
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Show the columns, the unreadable rows and a sample of a table."""
    table = require_client(folder).get(f"/v1/tables/{table_id}")
    if as_json:
        print_json(table)
        return
    out.print(describe(table), markup=False)
    for column in table.get("columns") or []:
        out.print(f"  {column['name']}: {column['type']}", markup=False)
    sample = table.get("sample") or []
    if sample:
        out.print("sample:")
        show_rows(sample[:5])


@app.command()
def rows(
    table_id: Annotated[str, typer.Argument(help="Id of a table, tbl_...")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="File to write; its ending tells the format.")
    ] = "-",
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Write the rows of a table to a file or to stdout."""
    query = {"format": format_for(output, format_name)}
    written = save(require_client(folder), f"/v1/tables/{table_id}/rows", query, output)
    if output != "-":
        say(f"wrote {written:,} bytes to {output}")


@app.command()
def delete(
    table_id: Annotated[str, typer.Argument(help="Id of a table, tbl_...")],
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Erase a table; refused while a job that is not final uses it."""
    require_client(folder).do("delete_table", table_id=table_id)
    say(f"{table_id} is erased")


def describe(table: Json) -> str:
    """Return one sentence on a table, with a line per unreadable row that was noted."""
    columns = table.get("columns") or []
    rows = int(table.get("rows") or 0)
    text = f"{table['name']}: {_count(rows, 'row')}, {_count(len(columns), 'column')}"
    report = table.get("report") or {}
    unreadable = int(report.get("unreadable") or 0)
    if not unreadable:
        return text
    lines = [f"{text}; {_count(unreadable, 'row')} could not be read:"]
    for row in (report.get("samples") or [])[:5]:
        lines.append(f"  line {row.get('line')}: {row.get('reason')}")
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
