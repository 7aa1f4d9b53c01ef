"""`apwa records`: append to a stream or hybrid job, end it, look at a record."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from services.cli.client import ApiClient, ApiRefusedError, Body, Json
from services.cli.exits import CommandError, Exit
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.target import require_client
from services.cli.terminal import print_json, say

LINES_AT_ONCE = 500
BUSY_S = 2.0
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
    total: Json = {"accepted": 0, "duplicates": 0, "rejected": [], "rejected_total": 0}
    sent = 0
    with _lines(source) as lines:
        while block := list(islice(lines, LINES_AT_ONCE)):
            _add(total, _post(client, job_id, block), sent)
            sent += len(block)
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
    return (json.dumps(row).encode() for row in rows)


def _post(client: ApiClient, job_id: str, block: Iterable[bytes]) -> Json:
    content = b"\n".join(line.rstrip(b"\r\n") for line in block)
    body = Body(lambda: [content], len(content), "application/x-ndjson")
    while True:
        try:
            return client.upload(f"/v1/jobs/{job_id}/records", {}, body)
        except ApiRefusedError as refused:
            if refused.status != 429:
                raise
        time.sleep(BUSY_S)


def _add(total: Json, told: Json, before: int) -> None:
    for name in ("accepted", "duplicates", "rejected_total"):
        total[name] += told[name]
    total["rejected"] += [{**one, "line": one["line"] + before} for one in told["rejected"]]


def _tell(total: Json) -> None:
    say(
        f"{total['accepted']:,} accepted, {total['duplicates']:,} known before, "
        f"{total['rejected_total']:,} rejected"
    )
    for one in total["rejected"][:_SHOWN]:
        say(f"  line {one['line']}{one['pointer']}: {one['detail']}")
