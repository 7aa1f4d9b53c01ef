"""What a person wants to read when a job has ended: ledger, time, where the result is."""

from datetime import datetime

from rich.table import Table

from services.cli.client import ApiClient, Json
from services.cli.terminal import out
from services.cli.watching import stages_of, units_of

_CLUSTERS = 5
_COLUMNS = ("units", "succeeded", "failed", "skipped", "cancelled")


def show_summary(client: ApiClient, job: Json, saved: str | None = None) -> None:
    """Print how a job went; ``saved`` is the file its result was written to."""
    out.print(f"\nJob {job['id']} [bold]{job['status']}[/bold] after {_seconds(job)}")
    show_ledger(stages_of(client, job["id"]))
    if int((job.get("progress") or {}).get("failed") or 0):
        _show_failures(client.get(f"/v1/jobs/{job['id']}/failures")["items"])
    unreadable = int((job.get("coverage") or {}).get("unreadable") or 0)
    if unreadable:
        out.print(f"  {unreadable:,} rows of the inputs could not be read (see `apwa tables show`)")
    _show_error(job.get("error") or {})
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


def _show_failures(clusters: list[Json]) -> None:
    """Print the largest clusters of failed units."""
    out.print("  failed units:")
    for cluster in clusters[:_CLUSTERS]:
        out.print(
            f"    {int(cluster['count']):,} of {cluster['stage']}: {cluster['code']}, such as unit "
            f"{cluster['sample_unit']}: {' '.join(str(cluster['sample']).split())}",
            markup=False,
        )
    if len(clusters) > _CLUSTERS:
        out.print(f"    and {len(clusters) - _CLUSTERS} other kinds")


def _show_error(error: Json) -> None:
    if not error:
        return
    out.print(f"  {error.get('code', 'error')}: {error.get('detail', '')}", markup=False)
    for problem in error.get("findings") or error.get("errors") or []:
        out.print(f"    {problem.get('pointer', '')}: {problem.get('detail', '')}", markup=False)
    if error.get("can_do"):
        out.print("  What the rules understand:")
    for goal in error.get("can_do") or []:
        out.print(f"    {goal}", markup=False)


def _seconds(job: Json) -> str:
    begin, end = (_moment(job.get(name)) for name in ("created_at", "finished_at"))
    if begin is None or end is None:
        return "an unknown time"
    return f"{(end - begin).total_seconds():.1f} s"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
