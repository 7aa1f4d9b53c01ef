"""`apwa plan lint`: checks a plan file on this machine; the other verbs are in `review`."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.commands import review
from services.cli.exits import Exit
from services.cli.given_files import read_object
from services.cli.options import AsJson
from services.cli.terminal import out, print_json
from services.cli.uploads import parse_input
from shared.contracts.findings import Finding
from shared.contracts.plan import PlanShapeError, load_plan
from shared.settings import load_settings

app = typer.Typer(help="Plans: lint, show, put, approve, reject.", no_args_is_help=True)
for verb in (review.show, review.put, review.approve, review.reject):
    app.command()(verb)


@app.command()
def lint(
    file: Annotated[Path, typer.Argument(help="A plan as JSON.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", help="FILE or NAME=FILE; needed to check columns."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a plan: its shape, and its meaning for the tables and capabilities at hand.

    Without the inputs the plan reads, what depends on their columns is not checked.
    """
    document = read_object(file)
    findings, missing = _findings(document, inputs or [])
    refused = any(finding.severity == "error" for finding in findings)
    if as_json:
        shown = [finding.to_json() for finding in findings]
        print_json({"ok": not refused, "findings": shown, "inputs_not_given": missing})
    else:
        _show(file, findings, missing)
    if refused:
        raise typer.Exit(Exit.REFUSED)


def _findings(document: object, inputs: list[str]) -> tuple[list[Finding], list[str]]:
    """Return the findings, and the inputs that were not given and thus not looked at."""
    # Imported here: this brings pyarrow, duckdb and every installed capability.
    from services.cli.local_facts import local_facts
    from shared.plans.lint import lint as lint_plan
    from shared.plans.unbound import inputs_wanted, lint_unbound

    try:
        plan = load_plan(document)
    except PlanShapeError as error:
        return error.findings, []
    facts = local_facts([parse_input(text) for text in inputs], load_settings(stores=False))
    missing = [name for name in inputs_wanted(plan) if name not in facts.tables]
    if inputs:  # some were given: then a missing one is a mistake of the plan or the command
        return lint_plan(plan, facts), []
    return lint_unbound(plan, facts), missing


def _show(file: Path, findings: list[Finding], missing: list[str]) -> None:
    for finding in findings:
        place = finding.pointer or "/"
        out.print(f"{finding.severity}  {place}  {finding.code}", markup=False)
        out.print(f"       {finding.detail}", markup=False)
    for name in missing:
        out.print(f"note   columns of `{name}` were not checked: give --input {name}=FILE")
    if not findings:
        out.print(f"{file} is a sound plan", markup=False)
