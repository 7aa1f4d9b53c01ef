"""Replays a bundle: hashes, plans, schemas, ledgers, and the record derived once more."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.cli.replay.archive import Archive, open_archive
from services.cli.replay.findings import Report
from services.cli.replay.plan_check import check_job_plan, check_plans, check_stage_plan
from services.cli.replay.record_check import check_record
from services.cli.replay.stage_check import Collected, check_stage
from shared.contracts import bundle

Write = Callable[[bytes], object]


def replay_bundle(path: Path, write: Write | None = None) -> Report:
    """Return what was found; `write` takes the rows of the result, collected again, as lines.

    Memory grows with the longest line of a bundle, not with the bundle. Nothing is fetched, and
    nothing is written elsewhere.
    """
    report = Report()
    archive = open_archive(path, report)
    if archive is None:
        return report
    try:
        _check(archive, report, write)
    finally:
        archive.close()
    return report


def _check(archive: Archive, report: Report, write: Write | None) -> None:
    plans = check_plans(archive, report)
    collected: list[Collected] = []
    for folder in archive.manifest["stages"]:
        with report.reading(folder):
            told, found = check_stage(archive, folder, report, write)
            collected.append(found)
            check_stage_plan(told, plans, folder + bundle.STAGE, report)
            report.stages.append(_summary(found))
    with report.reading(bundle.JOB):
        check_job_plan(archive, archive.json(bundle.JOB)["job"], report)
        check_record(archive, collected, report)


def _summary(found: Collected) -> dict[str, Any]:
    counts = {name: getattr(found.ledger, name) for name in bundle.COUNTS}
    return {"stage": found.name, **counts, "rows": found.rows, "usage": found.usage}
