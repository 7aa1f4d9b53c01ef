"""`apwa records`: append to a stream or hybrid job, end it, look at a record."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from services.cli.client import Json, translated
from services.cli.exits import CommandError, Exit
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.target import require_client
from services.cli.terminal import print_json, say

_SHOWN = 10

app = typer.Typer(help="Records of a stream: append, end, show.", no_args_is_help=True)
JobId = Annotated[str, typer.Argument(help="Id of a stream or hybrid job, job_...")]


@app.command()
def append(
    job_id: JobId,
    source: Annotated[str, typer.Argument(help="Lines of JSON, a .json array, or - for stdin.")],
    end_after: Annotated[bool, typer.Option("--end", help="No more records after these.")] = False,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Append records; while the job is too far behind, wait. Sent twice, a record counts once."""
    client = require_client(folder)
    with _lines(source) as lines, translated():
        told = client.api.records.append_lines(job_id, lines)
    rejected = [{"line": one.pop("index") + 1, **one} for one in told["rejected"]]
    total: Json = {**told, "rejected": rejected}
    if end_after:
        client.post(f"/v1/jobs/{job_id}/records/end")
    if as_json:
        print_json(total)
    else:
        _tell(total)
    if total["rejected_total"]:
        raise typer.Exit(Exit.PARTIAL)


@app.command()
def end(job_id: JobId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Say that no more records come; harmless when repeated."""
    job = require_client(folder).post(f"/v1/jobs/{job_id}/records/end")
    if as_json:
        print_json(job)
    else:
        say(f"the records of {job_id} have ended; it is {job.get('status')}")


@app.command()
def show(
    job_id: JobId,
    key: Annotated[
        str | None, typer.Argument(help="Key of a record; the stream's state else.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Show one record with its outcome and output, or how the stream stands."""
    path = f"/v1/jobs/{job_id}/records"
    print_json(require_client(folder).get(path if key is None else f"{path}/{key}"))


@contextmanager
def _lines(source: str) -> Iterator[Iterator[bytes]]:
    if source == "-":
        yield iter(sys.stdin.buffer)
        return
    try:
        with Path(source).open("rb") as file:
            yield _elements(file.read()) if source.endswith(".json") else iter(file)
    except OSError as error:
        raise CommandError(f"{source} cannot be read: {error.strerror}") from error


def _elements(content: bytes) -> Iterator[bytes]:
    try:
        rows = json.loads(content)
    except ValueError as error:
        raise CommandError(f"the file is not JSON: {error}") from error
    if not isinstance(rows, list):
        raise CommandError("the file holds no JSON array; name a file of lines .ndjson")
    return (json.dumps(row).encode() + b"\n" for row in rows)


def _tell(total: Json) -> None:
    say(
        f"{total['accepted']:,} accepted, {total['duplicates']:,} known before, "
        f"{total['rejected_total']:,} rejected"
    )
    for one in total["rejected"][:_SHOWN]:
        say(f"  line {one['line']}{one['pointer']}: {one['detail']}")
