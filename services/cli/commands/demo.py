"""`apwa demo`: two jobs over made-up data on two workers, with everything there is to see."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from services.cli.client import ApiClient, Json
from services.cli.demo_book import write_book
from services.cli.demo_job import run_demo_job
from services.cli.demo_tickets import write_tickets
from services.cli.exits import OF_STATUS, Exit
from services.cli.options import DEFAULT_FOLDER, Folder
from services.cli.results import first_rows, save_results, show_rows
from services.cli.target import borrowed_client
from services.cli.terminal import out, say
from services.cli.uploads import Input
from services.cli.watching import stages_of

_REDACT = "Redact all personal data in the tickets and count the findings per class"
_SUMMARISE = "Summarise every section, every chapter and the whole book"
_SHOWN = {"section": 5, "chapter": 4, "whole": 1}  # rows per level, ten together
_WIDE = 140
_MODEL = """\
How to plug in a model
  These two jobs needed none: rules wrote their plans, and their subtasks are deterministic.
  Goals in any words and the capabilities `llm` and `agent` take an OpenAI-compatible endpoint,
  told by OPENAI_API_KEY, OPENAI_BASE_URL and APWA_MODEL:
    make demo-model        a sentence that no rule understands, planned and worked by that model
  What the rules do not understand can also be said as a plan:
    apwa plan lint plan.json --input data.csv
    apwa run --plan plan.json --input data.csv
"""


def demo(
    output: Annotated[Path, typer.Option(help="Where data and results are put.")] = Path(
        "demo-output"
    ),
    workers: Annotated[int, typer.Option(min=1, max=64)] = 2,
    folder: Folder = DEFAULT_FOLDER,
) -> None:
    """Run two jobs over generated data: a redaction with counts, and a three-level summary."""
    began = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    tickets, book = output / "tickets.csv", output / "book.txt"
    write_tickets(tickets)
    write_book(book)
    say(f"made 2,000 support tickets ({tickets}) and a book of 12 chapters ({book})")
    with borrowed_client(folder, say, workers=workers) as (client, _started):
        statuses = [
            _redaction(client, tickets, output),
            _summaries(client, book, output),
        ]
    _say_where(output, folder)
    out.print(_MODEL)
    out.print(f"Demo ended after {time.monotonic() - began:.0f} s.")
    worst = next((status for status in statuses if status != "succeeded"), "succeeded")
    raise typer.Exit(OF_STATUS.get(worst, Exit.FAILED))


def _redaction(client: ApiClient, tickets: Path, output: Path) -> str:
    job = run_demo_job(client, _REDACT, Input("tickets", tickets), key="id")
    if job["status"] != "succeeded":
        return str(job["status"])
    redacted = next(
        stage["name"]
        for stage in reversed(stages_of(client, job["id"]))
        if stage.get("capability") == "redact"
    )
    save_results(client, job["id"], str(output / "findings.csv"), "csv")
    out.print("\nfindings per class:")
    show_rows(first_rows(client, job["id"], 20))
    tickets_file = output / "tickets-redacted.jsonl"
    save_results(client, job["id"], str(tickets_file), "jsonl", stage=redacted)
    out.print("\nten redacted tickets:")
    found = [ticket for ticket in _rows_of(tickets_file) if ticket["entities"]]
    show_rows(found[:10], ("id", "text"), clip=_WIDE)
    return "succeeded"


def _summaries(client: ApiClient, book: Path, output: Path) -> str:
    job = run_demo_job(client, _SUMMARISE, Input("book", book))
    if job["status"] == "succeeded":
        file = output / "summaries.jsonl"
        save_results(client, job["id"], str(file), "jsonl")
        out.print("\nten of the summaries:")
        rows = _rows_of(file)
        show_rows(
            [row for level in _SHOWN for row in _at_level(rows, level)[: _SHOWN[level]]],
            ("level", "chapter", "section", "summary"),
        )
    return str(job["status"])


def _rows_of(file: Path) -> list[Json]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _at_level(rows: list[Json], level: str) -> list[Json]:
    return [row for row in rows if row["level"] == level]


def _say_where(output: Path, folder: Path) -> None:
    out.rule("[bold]Where things lie")
    for file in sorted(output.iterdir()):
        out.print(f"  {file}  ({file.stat().st_size:,} bytes)", markup=False)
    out.print(f"  {folder}/  database, logs, first key; `apwa up` continues with it", markup=False)
    out.print()
