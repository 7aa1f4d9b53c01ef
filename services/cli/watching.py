"""Follows a job to its end: a bar per stage on a terminal, a line per change elsewhere."""

import time
from collections.abc import Callable

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.cli.client import ApiClient, Json
from services.cli.exits import OF_STATUS
from services.cli.terminal import err, say

_FASTEST_S, _SLOWEST_S = 0.15, 1.0


def watch(client: ApiClient, job_id: str) -> Json:
    """Show the job's stages until it is final and return it."""
    bars = _Bars()
    with bars.progress:
        return _follow(client, job_id, bars.show)


def is_final(job: Json) -> bool:
    """Tell whether nothing will happen to the job any more."""
    return job.get("status") in OF_STATUS


def stages_of(client: ApiClient, job_id: str) -> list[Json]:
    """Return the job's stages, in plan order; none before it is planned."""
    return list(client.pages(f"/v1/jobs/{job_id}/stages"))


def units_of(stage: Json) -> Json:
    """Return a stage's numbers: units, succeeded, failed, skipped, cancelled."""
    numbers = stage.get("progress") or {}
    return {
        name: int(numbers.get(name) or 0)
        for name in ("units", "succeeded", "failed", "skipped", "cancelled")
    }


def reason_text(reason: object) -> str:
    """Return why something waits or stopped: its kind, its detail, then whatever else is told."""
    if not isinstance(reason, dict):
        return str(reason or "")
    first = [str(reason[name]) for name in ("kind", "detail") if reason.get(name)]
    others = [
        f"{name} {value}"
        for name, value in reason.items()
        if name not in ("kind", "detail") and value is not None
    ]
    return ", ".join([": ".join(first), *others] if first else others)


def _follow(client: ApiClient, job_id: str, show: Callable[[Json, list[Json]], None]) -> Json:
    pause = _FASTEST_S
    while True:
        # The job first: what is final then has its last numbers in the stages read after it.
        job = client.get(f"/v1/jobs/{job_id}")
        show(job, stages_of(client, job_id))
        if is_final(job):
            return job
        time.sleep(pause)
        pause = min(pause * 1.2, _SLOWEST_S)


class _Bars:
    """One bar per stage."""

    def __init__(self) -> None:
        self.progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.completed:>7.0f} / {task.fields[units]}  {task.fields[note]}"),
            TimeElapsedColumn(),
            console=err,
        )
        self._bars: dict[str, TaskID] = {}
        self._status = ""

    def show(self, job: Json, stages: list[Json]) -> None:
        """Bring bars and status line up to date."""
        self._tell_status(job)
        for stage in stages:
            self._show_stage(stage)

    def _show_stage(self, stage: Json) -> None:
        name, numbers, status = stage["name"], units_of(stage), stage.get("status")
        if name not in self._bars:
            self._bars[name] = self.progress.add_task(
                name.ljust(18), total=None, start=False, units="?", note=""
            )
        bar = self._bars[name]
        settled = sum(numbers.values()) - numbers["units"]
        if status != "waiting":
            self.progress.start_task(bar)
        known = stage.get("units")  # null until the stage's inputs are sealed
        self.progress.update(
            bar,
            completed=settled,
            total=known,
            units="?" if known is None else str(known),
            note=_note(stage, numbers),
        )
        if status in ("closed", "abandoned"):
            self.progress.stop_task(bar)

    def _tell_status(self, job: Json) -> None:
        reason = reason_text(job.get("status_reason"))
        status = f"{job['status']} ({reason})" if reason else str(job["status"])
        if status != self._status:
            self._status = status
            say(f"  job {job['id']} is {status}")


def _note(stage: Json, numbers: Json) -> str:
    failed = f"{numbers['failed']} failed" if numbers["failed"] else ""
    waits = reason_text(stage.get("status_reason"))
    return ", ".join(text for text in (str(stage.get("status") or ""), failed, waits) if text)
