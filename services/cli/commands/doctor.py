"""`apwa doctor`: what is wrong on this machine, and how to mend each thing."""

import typer

from services.cli.exits import Exit
from services.cli.health_checks import Check, all_checks
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.terminal import out, print_json


def doctor(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Check everything the stack needs and say how to mend what is wrong."""
    checks = all_checks(folder)
    if as_json:
        print_json({"checks": [check.as_json() for check in checks]})
    else:
        for check in checks:
            _show(check)
    if any(check.state == "wrong" for check in checks):
        raise typer.Exit(Exit.FAILED)


def _show(check: Check) -> None:
    mark = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}[check.state]
    out.print(f"{mark}  {check.name}: {check.detail}", markup=False)
    if check.mend:
        out.print(f"       mend: {check.mend}", markup=False)
