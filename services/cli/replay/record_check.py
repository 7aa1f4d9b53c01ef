"""Derives the record of a job from its collected stages, and compares it with the one kept."""

from collections import Counter
from typing import Any

from services.cli.replay.archive import Archive
from services.cli.replay.findings import Report
from services.cli.replay.stage_check import Cluster, Collected
from shared.contracts import bundle
from shared.domain.job import ending_of

_MOST_CLUSTERS = 100  # of a record


def check_record(archive: Archive, collected: list[Collected], report: Report) -> None:
    """Compare coverage, usage, failures, result and end. Raises as `Report.reading` says."""
    record = archive.json(bundle.JOB)
    job = record["job"]
    report.status = job["status"]
    if job["id"] != archive.manifest["job"]:
        report.add(bundle.JOB, "is the record of another job")
    _coverage(job, collected, report)
    _usage(archive, record, collected, report)
    _failures(record["failures"], collected, report)
    _result(archive, job, collected, report)
    _ending(record, collected, report)
    _events(archive, report)


def _coverage(job: dict[str, Any], collected: list[Collected], report: Report) -> None:
    coverage = job["coverage"] or {"stages": {}}
    for stage in collected:
        said = coverage["stages"].get(stage.name, {})
        for name in bundle.COUNTS:
            found = getattr(stage.ledger, name)
            report.compare(bundle.JOB, f"coverage.{stage.name}.{name}", said.get(name), found)
    for name in bundle.COUNTS:
        total = sum(getattr(stage.ledger, name) for stage in collected)
        report.compare(bundle.JOB, f"coverage.{name}", coverage.get(name, 0), total)


def _usage(
    archive: Archive, record: dict[str, Any], collected: list[Collected], report: Report
) -> None:
    """Add planning and stages up; planning is held against its kept answers if all are there."""
    costs = record["costs"]
    for name in bundle.MEASURES:
        total = costs["planning"][name] + sum(stage.usage[name] for stage in collected)
        report.compare(bundle.JOB, f"usage.{name}", record["job"]["usage"][name], total)
        report.compare(bundle.JOB, f"costs.total.{name}", costs["total"][name], total)
    calls = [call["reply"]["usage"] for call in archive.lines(bundle.PLANNING)]
    if len(calls) == costs["planning"]["calls"]:
        for name in ("input_tokens", "output_tokens"):
            found = sum(usage[name] for usage in calls)
            report.compare(bundle.PLANNING, name, costs["planning"][name], found)


def _failures(said: list[dict[str, Any]], collected: list[Collected], report: Report) -> None:
    found: Counter[Cluster] = Counter()
    for stage in collected:
        found.update(stage.clusters)
    told = {
        (one["stage"], one["outcome"], one["code"], one["signature"]): one["count"] for one in said
    }
    for cluster, count in told.items():
        if found[cluster] != count:
            what = f"failures: the record says {count} of {cluster[0]}/{cluster[2]}"
            report.add(bundle.JOB, f"{what}, a recount finds {found[cluster]}")
    if len(found) <= _MOST_CLUSTERS:
        report.compare(bundle.JOB, "failures", sum(told.values()), found.total())


def _result(
    archive: Archive, job: dict[str, Any], collected: list[Collected], report: Report
) -> None:
    stage = next(
        (one for one in collected if one.is_result and one.ledger.status == "closed"), None
    )
    if job["result"] is None or stage is None:
        return
    report.result_rows = stage.rows
    report.compare(bundle.JOB, "result.rows", job["result"]["rows"], stage.rows)
    told = {one["name"]: one["sha256"] for one in archive.manifest["members"]}
    if told[bundle.RESULT] != stage.output_hash:
        report.add(bundle.RESULT, "is not what the units of the result add up to")


def _ending(record: dict[str, Any], collected: list[Collected], report: Report) -> None:
    """Apply the finish policy again, where nothing but the ledgers decided."""
    job, policy = record["job"], record["policy"]
    if record["finish_as"] is not None:
        report.compare(bundle.JOB, "status", job["status"], record["finish_as"])
        return
    if not any(stage.is_result for stage in collected):
        return  # no plan came out: there is nothing to apply it to
    ending = ending_of(
        [stage.ledger for stage in collected],
        min_success=policy.get("min_success", 1.0),
        on_shortfall=policy.get("on_shortfall", "partial"),
        finish_as=None,
        early=(record["finishing"] or {}).get("kind"),
    )
    if job["error"] == ending.error:
        report.compare(bundle.JOB, "status", job["status"], ending.status)


def _events(archive: Archive, report: Report) -> None:
    last = 0
    for event in archive.lines(bundle.EVENTS):
        if event["seq"] <= last:
            report.add(bundle.EVENTS, f"event {event['seq']} is there twice, or not in order")
        last = event["seq"]
