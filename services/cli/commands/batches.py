"""`apwa files` and `apwa batches`: the OpenAI-compatible interface from the command line."""

from pathlib import Path
from typing import Annotated

import typer

from apwa_client.bodies import Part, bytes_body, file_body, multipart_body
from services.cli.client import ApiClient, Json
from services.cli.exits import CommandError
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder, pair
from services.cli.results import save, show_rows
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say

files = typer.Typer(help="Files of request lines, and what batches made.", no_args_is_help=True)
app = typer.Typer(help="OpenAI-compatible batches.", no_args_is_help=True)

FileId = Annotated[str, typer.Argument(help="Id of a file, fil_...")]
BatchId = Annotated[str, typer.Argument(help="Id of a batch, bat_...")]
After = Annotated[str | None, typer.Option(help="The last id of the page before.")]
_FILES, _BATCHES, _MODELS = "/openai/v1/files", "/openai/v1/batches", "/openai/v1/models"


@files.command("create")
def create_file(
    path: Annotated[Path, typer.Argument(help="JSON lines, as OpenAI's batches take them.")],
    keep_s: Annotated[int | None, typer.Option(help="Seconds it is kept, 3600 or more.")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Upload a file of request lines."""
    file = _upload(require_client(folder), path, keep_s)
    if as_json:
        print_json(file)
        return
    out.print(file["id"])
    if file["status"] == "error":
        say(file["status_details"])


@files.command("list")
def list_files(
    purpose: Annotated[str | None, typer.Option(help="batch or batch_output.")] = None,
    order: Annotated[str | None, typer.Option(help="asc or desc (newest first).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    after: After = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """List files, newest first."""
    asked = {"purpose": purpose, "order": order, "limit": limit, "after": after}
    page = require_client(folder).get(_FILES, asked)
    if as_json:
        print_json(page)
        return
    show_rows(page["data"], columns=("id", "purpose", "bytes", "status", "filename"))


@files.command("get")
def get_file(file_id: FileId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Show what is known of a file, as JSON."""
    print_json(require_client(folder).get(f"{_FILES}/{file_id}"))


@files.command("content")
def content(
    file_id: FileId,
    target: Annotated[str, typer.Option("--output", "-o", help="A file; - is stdout.")] = "-",
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Write the lines of a file; of a batch that runs, those that are there by now."""
    save(require_client(folder), f"{_FILES}/{file_id}/content", {}, target)


@files.command("delete")
def delete_file(file_id: FileId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Delete a file; with the last one of a batch goes its job."""
    require_client(folder).delete(f"{_FILES}/{file_id}")
    say(f"{file_id} is deleted")


@app.command("create")
def create(
    source: Annotated[str, typer.Argument(help="A file to upload, or the id of one, fil_...")],
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", help="KEY=VALUE; repeatable.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Run the lines of a file, each a chat request at its live price."""
    client = require_client(folder)
    file_id = source if source.startswith("fil_") else _upload(client, Path(source), None)["id"]
    asked = {
        "input_file_id": file_id,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": dict(pair(text, "--metadata KEY=VALUE") for text in metadata or []),
    }
    batch = client.post(_BATCHES, asked)
    if as_json:
        print_json(batch)
        return
    out.print(batch["id"])
    if batch["errors"]:
        show_rows(batch["errors"]["data"], columns=("line", "code", "message"))
    else:
        say(f"{batch['status']}; apwa jobs watch {batch['apwa']['job']}")


@app.command("list")
def list_batches(
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    after: After = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """List batches, newest first."""
    page = require_client(folder).get(_BATCHES, {"limit": limit, "after": after})
    if as_json:
        print_json(page)
        return
    show_rows(
        [{**one, **one["request_counts"]} for one in page["data"]],
        columns=("id", "status", "total", "completed", "failed", "output_file_id"),
    )


@app.command("get")
def get_batch(batch_id: BatchId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Show a batch as JSON."""
    print_json(require_client(folder).get(f"{_BATCHES}/{batch_id}"))


@app.command("cancel")
def cancel(batch_id: BatchId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Stop a batch; its output file keeps what was answered."""
    batch = require_client(folder).post(f"{_BATCHES}/{batch_id}/cancel")
    say(f"{batch_id} is {batch['status']}")


@app.command("models")
def models(
    name: Annotated[str, typer.Argument(help="One of them; all if left out.")] = "",
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Show what a line may ask for, as JSON."""
    print_json(require_client(folder).get(f"{_MODELS}/{name}" if name else _MODELS))


def _upload(client: ApiClient, path: Path, keep_s: int | None) -> Json:
    if not path.is_file():
        raise CommandError(f"there is no file {path}")
    fields = {"purpose": "batch"}
    if keep_s is not None:
        fields |= {"expires_after[anchor]": "created_at", "expires_after[seconds]": str(keep_s)}
    sent = [(name, bytes_body(value.encode(), "text/plain")) for name, value in fields.items()]
    return client.upload(
        _FILES, {}, multipart_body(sent, [Part("file", path.name, file_body(path))])
    )
