"""What a person wants to read when a job has ended: ledger, time, where the result is."""

from datetime import datetime

from rich.table import Table

from services.cli.client import Json
from services.cli.terminal import out
from services.cli.watching import units_of

_COLUMNS = ("units", "succeeded", "failed", "skipped", "cancelled")


def show_summary(job: Json, stages: list[Json], saved: str | None) -> None:
    """Print how a final job went."""
    out.print(f"\nJob {job['id']} [bold]{job['status']}[/bold] after {_seconds(job)}")
    show_ledger(stages)
    unreadable = int((job.get("coverage") or {}).get("unreadable") or 0)
    if unreadable:
        out.print(f"  {unreadable:,} rows of the inputs could not be read (see `apwa tables show`)")
    error = job.get("error")
    if error:
        out.print(f"  {error.get('code', 'error')}: {error.get('detail', '')}", markup=False)
    result = job.get("result") or {}
    if result:
        out.print(f"  result: table {result.get('table')}, {int(result.get('rows') or 0):,} rows")
    if saved and saved != "-":
        out.print(f"  written to {saved}", markup=False)
    elif result:
        out.print(f"  get it with: apwa jobs results {job['id']} -o result.jsonl")


def show_ledger(stages: list[Json]) -> None:
    """Print units by outcome for every stage."""
    if not stages:
        return
    table = Table("stage", box=None, header_style="bold", padding=(0, 2))
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    for stage in stages:
        numbers = units_of(stage)
        table.add_row(stage["name"], *(f"{numbers[name]:,}" for name in _COLUMNS))
    out.print(table)


def _seconds(job: Json) -> str:
    begin, end = (_moment(job.get(name)) for name in ("created_at", "finished_at"))
    if begin is None or end is None:
        return "an unknown time"
    return f"{(end - begin).total_seconds():.1f} s"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
