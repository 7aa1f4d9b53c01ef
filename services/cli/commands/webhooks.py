"""`apwa webhooks`: receivers of events and their secrets; `apwa deliveries`: what was sent."""

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from services.cli.client import Json
from services.cli.exits import CommandError
from services.cli.options import DEFAULT_FOLDER, AsJson, Folder
from services.cli.target import require_client
from services.cli.terminal import out, print_json, say

app = typer.Typer(help="Receivers of webhooks, and their secrets.", no_args_is_help=True)
deliveries = typer.Typer(help="Webhooks that were sent.", no_args_is_help=True)

EndpointId = Annotated[str, typer.Argument(help="Id of a receiver, whe_...")]
MaybeEndpoint = Annotated[
    str | None, typer.Argument(help="Id of a receiver; the secret of jobs' own webhooks else.")
]
DeliveryId = Annotated[str, typer.Argument(help="Id of a delivery, dlv_...")]
Event = Annotated[
    list[str] | None, typer.Option("--event", help="An event it hears of; repeatable.")
]


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="Where webhooks are posted to.")],
    events: Event = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Add a receiver, of all events when none is named; its secret is shown."""
    body: Json = {"url": url, "description": description}
    if events:
        body["events"] = events
    made = require_client(folder).do("create_webhook_endpoint", body=body)
    if as_json:
        print_json(made)
        return
    out.print(made["id"])
    say(f"its webhooks are signed with {made['secret']}")


@app.command("list")
def list_endpoints(folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """List receivers, newest first."""
    found = list(require_client(folder).every("list_webhook_endpoints"))
    if as_json:
        print_json({"items": found})
        return
    table = Table("receiver", "status", "events", "url", box=None, header_style="bold")
    for one in found:
        table.add_row(one["id"], one["status"], ", ".join(one["events"]), escape(one["url"]))
    out.print(table)


@app.command()
def show(endpoint_id: EndpointId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Show one receiver as JSON."""
    print_json(require_client(folder).do("get_webhook_endpoint", endpoint_id=endpoint_id))


@app.command()
def edit(
    endpoint_id: EndpointId,
    url: Annotated[str | None, typer.Option(help="Another address.")] = None,
    events: Event = None,
    description: Annotated[str | None, typer.Option()] = None,
    enabled: Annotated[bool | None, typer.Option("--enable/--disable")] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Change a receiver, enable or disable it."""
    given = {"url": url, "events": events or None, "description": description, "enabled": enabled}
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise CommandError("say what changes: --url, --event, --description, --enable, --disable")
    client = require_client(folder)
    made = client.do("edit_webhook_endpoint", endpoint_id=endpoint_id, body=changes)
    _told(made, f"{endpoint_id} is {made['status']}", as_json)


@app.command()
def delete(endpoint_id: EndpointId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Remove a receiver; what waits for it is cancelled."""
    require_client(folder).do("delete_webhook_endpoint", endpoint_id=endpoint_id)
    say(f"{endpoint_id} is removed")


@app.command()
def secret(
    endpoint_id: MaybeEndpoint = None, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False
) -> None:
    """Show what the webhooks of a receiver, or of jobs, are signed with."""
    operation = "get_webhook_secret" if endpoint_id is None else "get_webhook_endpoint_secret"
    found = require_client(folder).do(operation, **_named(endpoint_id))
    if as_json:
        print_json(found)
        return
    out.print(found["secret"], markup=False)


@app.command()
def rotate(
    endpoint_id: MaybeEndpoint = None,
    overlap_s: Annotated[
        int | None, typer.Option(min=0, help="Seconds in which the former one signs too.")
    ] = None,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Make a new secret; for a while webhooks carry both signatures."""
    operation = "rotate_webhook_secret" if endpoint_id is None else "rotate_webhook_endpoint_secret"
    body: Json = {} if overlap_s is None else {"overlap_s": overlap_s}
    made = require_client(folder).do(operation, body=body, **_named(endpoint_id))
    if as_json:
        print_json(made)
        return
    out.print(made["secret"], markup=False)
    say(f"the former one signs until {made['former_secret_until']}")


@app.command("test")
def ping(endpoint_id: EndpointId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False) -> None:
    """Send a ping to a receiver."""
    made = require_client(folder).do("test_webhook_endpoint", endpoint_id=endpoint_id)
    _told(made, f"{made['id']} is {made['status']}; apwa deliveries show {made['id']}", as_json)


@app.command()
def redeliver(
    endpoint_id: EndpointId,
    since: Annotated[str, typer.Option(help="From this time on, such as 2030-01-31T12:00:00Z.")],
    until: Annotated[str | None, typer.Option(help="Before this time; now when silent.")] = None,
    status: Annotated[str, typer.Option(help="failed, skipped, succeeded, ... or all.")] = "failed",
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """Send the deliveries of a span of time again, each under the id it had."""
    body = {"since": since, "until": until, "status": status}
    made = require_client(folder).do("redeliver_range", endpoint_id=endpoint_id, body=body)
    _told(made, f"{made['redelivered']:,} are due again", as_json)


@deliveries.command("list")
def list_deliveries(
    endpoint: Annotated[str | None, typer.Option(help="Only those of this receiver.")] = None,
    status: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    job: Annotated[str | None, typer.Option(help="Only those of this job.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    folder: Folder = DEFAULT_FOLDER,
    as_json: AsJson = False,
) -> None:
    """List deliveries, newest first."""
    page = require_client(folder).do(
        "list_deliveries", endpoint=endpoint, status=status, job=job, limit=limit
    )
    if as_json:
        print_json(page)
        return
    table = Table("delivery", "event", "status", "tries", "answer", box=None, header_style="bold")
    for one in page["items"]:
        answer = str(one["response_status"] or "")
        table.add_row(one["id"], one["type"], one["status"], str(one["attempts"]), answer)
    out.print(table)


@deliveries.command("show")
def show_delivery(delivery_id: DeliveryId, folder: Folder = DEFAULT_FOLDER) -> None:
    """Show one delivery as JSON, with what was sent and answered."""
    print_json(require_client(folder).do("get_delivery", delivery_id=delivery_id))


@deliveries.command("redeliver")
def redeliver_one(
    delivery_id: DeliveryId, folder: Folder = DEFAULT_FOLDER, as_json: AsJson = False
) -> None:
    """Send one delivery again, under the id it had."""
    made = require_client(folder).do("redeliver", delivery_id=delivery_id)
    _told(made, f"{delivery_id} is {made['status']}", as_json)


def _named(endpoint_id: str | None) -> dict[str, Any]:
    return {} if endpoint_id is None else {"endpoint_id": endpoint_id}


def _told(made: Json, text: str, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    say(text)
