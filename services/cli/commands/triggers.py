"""`apwa triggers`: senders whose posts make jobs or feed streams, and what they posted."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.client import Json
from services.cli.exits import CommandError
from services.cli.given_files import read_object
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.recorded import read_recorded, read_secret, signed
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say
from shared.domain.hook_scheme import scheme_of

app = typer.Typer(
    help="Triggers: webhooks in, deliveries, simulate, replay, send.", no_args_is_help=True
)
TriggerId = Annotated[str, typer.Argument(help="Id of a trigger, trg_...")]
DeliveryId = Annotated[str, typer.Argument(help="Id of a delivery, dlv_...")]
SecretFile = Annotated[
    Path | None, typer.Option(help="File with the secret shared with the sender; - for stdin.")
]
Recorded = Annotated[
    Path, typer.Option("--file", help="A body, or an object of headers and payload.")
]
Headers = Annotated[
    list[str] | None, typer.Option("--header", "-H", help='"Name: value"; repeatable.')
]


@app.command()
def create(
    file: Annotated[Path, typer.Argument(help="The trigger as JSON; - for stdin.")],
    secret_file: SecretFile = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Make a trigger; shows where the sender is to post."""
    body = read_object(file) | _secret(secret_file)
    made = require_client(folder).do("create_trigger", body=body)
    if as_json:
        print_json(made)
        return
    out.print(made["id"])
    say(f"{made['name']} takes {made['scheme']} deliveries at {made['links']['hook']}")


@app.command("list")
def list_triggers(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """List triggers, newest first."""
    found = list(require_client(folder).every("list_triggers"))
    if as_json:
        print_json({"items": found})
        return
    table = Table(box=None, header_style="bold")
    for column in ("trigger", "scheme", "enabled", "created"):
        table.add_column(column, no_wrap=True)
    table.add_column("name", no_wrap=True, overflow="ellipsis")
    for one in found:
        enabled = "yes" if one["enabled"] else "no"
        created, name = one["created_at"][:19], escape(one["name"])
        table.add_row(one["id"], one["scheme"], enabled, created, name)
    out.print(table, soft_wrap=False)


@app.command()
def get(trigger_id: TriggerId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Show a trigger as JSON."""
    print_json(require_client(folder).do("get_trigger", trigger_id=trigger_id))


@app.command()
def edit(
    trigger_id: TriggerId,
    file: Annotated[
        Path | None, typer.Argument(help="What changes, as JSON; the rest stays.")
    ] = None,
    enable: Annotated[bool | None, typer.Option("--enable/--disable")] = None,
    secret_file: SecretFile = None,
    overlap_s: Annotated[
        int | None, typer.Option(min=0, help="How long the secret before holds beside a new one.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Change a trigger, or its secret."""
    changes: Json = (read_object(file) if file else {}) | _secret(secret_file)
    given: Json = {"enabled": enable, "overlap_s": overlap_s}
    changes |= {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise CommandError("say what changes: a file, --enable, --disable or --secret-file")
    client = require_client(folder)
    print_json(client.do("edit_trigger", trigger_id=trigger_id, body=changes))


@app.command()
def delete(trigger_id: TriggerId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Delete a trigger with all that was posted to it; its jobs stay."""
    require_client(folder).do("delete_trigger", trigger_id=trigger_id)
    say(f"{trigger_id} is deleted")


@app.command()
def deliveries(
    trigger_id: TriggerId,
    status: Annotated[
        str | None, typer.Option(help="pending, accepted, ignored, held or failed.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """List what was posted to a trigger, newest first."""
    page = require_client(folder).do(
        "list_trigger_deliveries", trigger_id=trigger_id, status=status, limit=limit
    )
    if as_json:
        print_json(page)
        return
    table = Table(box=None, header_style="bold")
    for column in ("delivery", "status", "received", "job"):
        table.add_column(column, no_wrap=True)
    table.add_column("why", no_wrap=True, overflow="ellipsis")
    for one in page["items"]:
        why = escape((one["reason"] or {}).get("detail", ""))
        received, job = one["received_at"][:19], one["job"] or ""
        table.add_row(one["id"], one["status"], received, job, why)
    out.print(table, soft_wrap=False)


@app.command()
def delivery(
    trigger_id: TriggerId, delivery_id: DeliveryId, folder: Folder = DEFAULT_FOLDER
) -> None:
    """Show one delivery with headers and body as they were posted."""
    found = require_client(folder).do(
        "get_trigger_delivery", trigger_id=trigger_id, delivery_id=delivery_id
    )
    print_json(found)


@app.command()
def replay(
    trigger_id: TriggerId,
    delivery_id: Annotated[str | None, typer.Argument(help="Id of a delivery, dlv_...")] = None,
    held: Annotated[bool, typer.Option("--held", help="Every held one instead.")] = False,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Work a delivery again, whatever the limits say."""
    if (delivery_id is None) == (not held):
        raise CommandError("name a delivery, or say --held")
    client = require_client(folder)
    chosen = [delivery_id] if delivery_id else [
        one["id"]
        for one in client.every("list_trigger_deliveries", trigger_id=trigger_id, status="held")
    ]  # fmt: skip
    for one in chosen:
        made = client.do("replay_trigger_delivery", trigger_id=trigger_id, delivery_id=one)
        say(f"{made['id']} is {made['status']}")
    if not chosen:
        say("nothing is held")


@app.command()
def simulate(
    trigger_id: TriggerId,
    file: Recorded,
    headers: Headers = None,
    secret_file: SecretFile = None,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Say what a recorded delivery would do; with the secret, as if it were sent now."""
    client, recorded = require_client(folder), read_recorded(file, headers or [])
    sent = recorded.headers
    if secret_file is not None:
        trigger = client.do("get_trigger", trigger_id=trigger_id)
        scheme = scheme_of(trigger["scheme"], trigger["options"])
        sent = signed(recorded, scheme, read_secret(secret_file))
    body = {"headers": sent, "body": recorded.body.decode("utf-8", "replace")}
    print_json(client.do("simulate_trigger", trigger_id=trigger_id, body=body))


@app.command()
def send(
    trigger_id: TriggerId,
    file: Recorded,
    secret_file: Annotated[
        Path, typer.Option(help="File with the secret shared with the sender; - for stdin.")
    ],
    headers: Headers = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Sign a recorded delivery as its sender would, and post it."""
    client, recorded = require_client(folder), read_recorded(file, headers or [])
    trigger = client.do("get_trigger", trigger_id=trigger_id)
    scheme = scheme_of(trigger["scheme"], trigger["options"])
    told = client.do(
        "receive_hook", trigger_id=trigger_id, body=recorded.body,
        headers=signed(recorded, scheme, read_secret(secret_file)),
    )  # fmt: skip
    if as_json:
        print_json(told)
        return
    known = ", known already" if told["duplicate"] else ""
    say(f"{told['id']} is {told['status']}{known}")


def _secret(path: Path | None) -> Json:
    return {} if path is None else {"secret": read_secret(path)}
