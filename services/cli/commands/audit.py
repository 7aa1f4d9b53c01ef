"""`apwa audit`: whether every invariant holds over the whole database."""

import typer

from services.cli.exits import Exit
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.own_database import own_database
from services.cli.terminal import out, print_json


def audit(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Check every ledger, count and book against a recount; nothing is changed."""
    from dataclasses import asdict

    from shared.database.invariants import QUERIES, breaches

    with own_database(folder, "apwa-audit") as engine, engine.connect() as connection:
        found = list(breaches(connection))
    if as_json:
        print_json({"invariants": list(QUERIES), "breaches": [asdict(breach) for breach in found]})
    else:
        for breach in found:
            out.print(
                f"WRONG  {breach.invariant}: {breach.object_id}: {breach.detail}", markup=False
            )
        out.print(f"{len(QUERIES)} invariants looked at, {len(found)} breaches", markup=False)
    if found:
        raise typer.Exit(Exit.FAILED)
