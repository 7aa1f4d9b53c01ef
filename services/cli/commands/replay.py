"""`apwa replay`: checks the bundle of a job, and derives its record again, offline."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.exits import CommandError, Exit
from services.cli.options import AsJson
from services.cli.terminal import out, print_json, say

if TYPE_CHECKING:
    from services.cli.replay.findings import Report


def replay(
    path: Annotated[Path, typer.Argument(help="A bundle, as `apwa jobs bundle` writes it.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the rows of the result there, as JSON lines."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every byte of a bundle and derive the record again; exit code 1 where it differs."""
    from services.cli.replay.replay_bundle import replay_bundle

    if not path.is_file():
        raise CommandError(f"there is no file {path}")
    if output is None:
        report = replay_bundle(path)
    else:
        with output.open("wb") as file:
            report = replay_bundle(path, file.write)
    if as_json:
        print_json({**asdict(report), "sound": report.sound})
    else:
        for stage in report.stages:
            told = f"{stage['units']} units, {stage['succeeded']} succeeded, {stage['rows']} rows"
            out.print(f"  {stage['stage']}: {told}", markup=False)
        for finding in report.findings:
            say(f"  {finding.where}: {finding.what}")
        if report.untold:
            say(f"  and {report.untold} more")
        out.print(_verdict(path, report), markup=False)
    if not report.sound:
        raise typer.Exit(Exit.FAILED)


def _verdict(path: Path, report: "Report") -> str:
    if not report.sound:
        return f"{path} is not what it says: {len(report.findings) + report.untold} differences"
    return (
        f"{path} is sound: {report.members} members, contents {report.hash[:16]}, and the record "
        f"of {report.job} ({report.status}) comes out of them again"
    )
