"""Fetches a job's results into a file, and shows their first rows."""

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from apwa_client.files import FORMAT_OF_ENDING, whole_file
from services.cli.client import ApiClient, Json, Query
from services.cli.exits import CommandError
from services.cli.terminal import out

FORMATS = tuple(dict.fromkeys(FORMAT_OF_ENDING.values()))
_CLIP = 60


def format_for(target: str | None, given: str | None) -> str:
    """Return the format of a result file: as given, else by its ending, else jsonl."""
    if given:
        if given not in FORMATS:
            raise CommandError(f"there is no format {given}; choose one of {', '.join(FORMATS)}")
        return given
    if not target or target == "-":
        return "jsonl"
    ending = Path(target).suffix.lower()
    if ending not in FORMAT_OF_ENDING:
        known = ", ".join(FORMAT_OF_ENDING)
        raise CommandError(
            f"the ending of {target} tells no format; use one of {known} or --format"
        )
    return FORMAT_OF_ENDING[ending]


def save_results(
    client: ApiClient,
    job_id: str,
    target: str,
    format_name: str,
    *,
    stage: str | None = None,
    outcome: str | None = None,
    include: str | None = None,
) -> int:
    """Write results to a file (``-`` is stdout) and return the bytes written."""
    query = {"format": format_name, "stage": stage, "outcome": outcome, "include": include}
    return save(client, f"/v1/jobs/{job_id}/results", query, target)


def save(client: ApiClient, path: str, query: Query, target: str) -> int:
    """Write the body of an answer to a file (``-`` is stdout) and return the bytes written.

    A file appears under its name only when it is whole.
    """
    if target == "-":
        written = client.download(path, query, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return written
    final = Path(target)
    final.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(final) as file:
        return client.download(path, query, file)


def first_rows(client: ApiClient, job_id: str, count: int, stage: str | None = None) -> list[Json]:
    """Return the first rows of a result."""
    buffer = io.BytesIO()
    query: dict[str, str | int | None] = {"format": "json", "limit": count, "stage": stage}
    client.download(f"/v1/jobs/{job_id}/results", query, buffer)
    content = json.loads(buffer.getvalue())
    rows: list[Json] = content["items"] if isinstance(content, dict) else content
    return rows[:count]


def show_rows(rows: list[Json], columns: Sequence[str] = (), clip: int = _CLIP) -> None:
    """Print rows as a table, values longer than ``clip`` clipped; ``columns``: these only."""
    if not rows:
        out.print("  (no rows)")
        return
    names = list(columns) or [name for name in rows[0] if name != "_apwa"]
    table = Table(*names, box=None, pad_edge=True, header_style="bold")
    for row in rows:
        table.add_row(*(_clip(row.get(name), clip) for name in names))
    out.print(table, soft_wrap=False)


def _clip(value: object, length: int) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return escape(text if len(text) <= length else text[: length - 1] + "…")
