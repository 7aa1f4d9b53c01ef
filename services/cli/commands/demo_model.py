"""`apwa demo-model`: one sentence over made-up tickets, planned and worked by a real model."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.client import ApiClient, Json
from services.cli.demo_job import run_demo_job
from services.cli.demo_tickets import write_tickets
from services.cli.exits import OF_STATUS, CommandError, Exit
from services.cli.options import DEFAULT_FOLDER, Folder
from services.cli.results import first_rows, save_results, show_rows
from services.cli.target import borrowed_client
from services.cli.terminal import out, say
from services.cli.uploads import Input
from shared.settings import load_settings

_GOAL = (
    "Say of every ticket in at most five words what it is about, "
    "and how urgent it is: low, normal or high"
)
_POLICY = {"min_success": 0.9, "budget": {"usd": 0.5, "tokens": 500_000}}
_SHOWN = 10
_NOT_CONFIGURED = """\
no model is configured, and this demonstration asks one (see docs/models.md). Set one, as in
  OPENAI_API_KEY=sk-... make demo-model                                       (OpenAI itself)
  OPENAI_BASE_URL=http://127.0.0.1:11434/v1 APWA_MODEL=NAME make demo-model   (any other)"""


def demo_model(
    output: Annotated[Path, typer.Option(help="Where data and results are put.")] = Path(
        "demo-output"
    ),
    tickets: Annotated[int, typer.Option(min=1, max=2_000, help="About as many calls.")] = 30,
    workers: Annotated[int, typer.Option(min=1, max=64)] = 2,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Let the configured model plan and work one sentence over a few tickets."""
    _require_model()
    output.mkdir(parents=True, exist_ok=True)
    source = output / "model-tickets.csv"
    write_tickets(source, tickets)
    say(f"made {tickets:,} support tickets ({source})")
    with borrowed_client(folder, say, workers=workers) as (client, _started):
        job = run_demo_job(
            client, _GOAL, Input("tickets", source), "id", planning="model", policy=_POLICY
        )
        if job.get("result"):
            _show_result(client, job, output / "model-labels.csv")
    raise typer.Exit(OF_STATUS.get(str(job["status"]), Exit.FAILED))


def _require_model() -> None:
    """End the command with how to configure a model, unless one is or the API is elsewhere."""
    from shared.llm.endpoints import endpoints_of  # heavy: not for `apwa --help`

    settings = load_settings(stores=False)
    if not settings.api_url and not endpoints_of(settings):
        raise CommandError(_NOT_CONFIGURED)


def _show_result(client: ApiClient, job: Json, file: Path) -> None:
    save_results(client, job["id"], str(file), "csv")
    rows = first_rows(client, job["id"], _SHOWN)
    out.print(f"\nthe first {len(rows)} rows of {file}:", markup=False)
    show_rows(rows)
    usage = job["usage"]
    tokens = usage["input_tokens"] + usage["output_tokens"]
    cost = usage["cost_microusd"] / 1e6
    out.print(f"\n{usage['calls']:,} calls, {tokens:,} tokens, about {cost:.4f} USD")
