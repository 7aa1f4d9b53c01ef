"""Collects one stage again from its outcomes: schemas, ledger, output rows, usage."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

from services.cli.replay.archive import Archive
from services.cli.replay.findings import Report
from shared.contracts import bundle
from shared.domain.columns import Column
from shared.domain.job import StageLedger
from shared.tables.arrow import batch_to_rows, rows_to_batch
from shared.tables.readers.json_check import RowError

_BAD = ("invalid", "failed", "refused")
_ROWS_AT_ONCE = 500
_SHOWN = 200
_NUMBER = re.compile(r"[0-9]+")
Write = Callable[[bytes], object]
Cluster = tuple[str, str, str | None, str]


@dataclass(slots=True)
class Collected:
    """What the outcomes of a stage add up to."""

    name: str
    is_result: bool
    ledger: StageLedger
    usage: dict[str, int]
    rows: int = 0
    output_hash: str = ""
    clusters: Counter[Cluster] = field(default_factory=Counter)


def check_stage(
    archive: Archive, folder: str, report: Report, write: Write | None = None
) -> tuple[dict[str, Any], Collected]:
    """Go through a stage once, in unit order; `write` takes the rows of the result.

    Returns what its summary says and what was found. Raises as `Report.reading` expects.
    """
    told = archive.json(folder + bundle.STAGE)
    is_result = told["is_result"] and told["status"] == "closed"
    out = _Output(told, folder + bundle.UNITS, report, write if is_result else None)
    counts: Counter[str] = Counter()
    clusters: Counter[Cluster] = Counter()
    usage, at = bundle.nothing_used(), (-1, 0)
    for unit in archive.lines(folder + bundle.UNITS):
        here = (unit["unit"], unit["replica"])
        if here <= at:
            report.add(out.where, f"unit {here[0]} is there twice, or not in order")
        at = here
        if told["queue"] == "model":
            bundle.add_usage(usage, unit["usage"])
        if unit["outcome"] == "succeeded":
            out.check(unit)
        if unit["replica"] > 0:
            continue
        counts[unit["outcome"]] += 1
        if unit["outcome"] == "succeeded":
            out.collect(unit)
        else:
            clusters[_cluster(told["name"], unit)] += 1
    out.flush()
    _check_attempts(archive, folder, told, usage, report)
    _check_prompts(archive, folder, told, report)
    ledger = _ledger(told, counts)
    found = Collected(told["name"], told["is_result"], ledger, usage, out.rows,
                      out.digest.hexdigest(), clusters)  # fmt: skip
    _compare(told, found, folder + bundle.STAGE, report)
    return told, found


class _Output:
    """Output rows: each held against the schema, all of them made into a table again."""

    def __init__(
        self, told: dict[str, Any], where: str, report: Report, write: Write | None
    ) -> None:
        spec = told["spec"]
        self.where, self._report, self._write = where, report, write
        self._columns = [Column.from_json(column) for column in told["columns"]]
        self._beside = {kept["name"] for kept in spec["kept"]} | {"_agreement"}
        self._fits = jsonschema_rs.validator_for(spec["output"], retriever=_fetch_nothing)
        self._waiting: list[dict[str, Any]] = []
        self.rows, self.digest = 0, hashlib.sha256()

    def check(self, unit: dict[str, Any]) -> None:
        """Hold the rows of an outcome against the schema of the stage."""
        for row in unit["output"]:
            own = {name: value for name, value in row.items() if name not in self._beside}
            if not self._fits.is_valid(own):
                error = next(iter(self._fits.iter_errors(own)))
                what = str(error.message)[:_SHOWN]
                self._report.add(
                    self.where, f"unit {unit['unit']}: the output is not valid: {what}"
                )

    def collect(self, unit: dict[str, Any]) -> None:
        """Take the rows of a unit, as the sealed table has them."""
        self._waiting += unit["output"]
        if len(self._waiting) >= _ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Make what waits into rows of the table."""
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        try:
            batch = rows_to_batch(rows, self._columns)
        except RowError as error:
            self._report.add(self.where, f"rows do not fit their columns: {error.detail}")
            return
        for row in batch_to_rows(batch):
            line = bundle.line(row)
            self.digest.update(line)
            if self._write is not None:
                self._write(line)
        self.rows += len(rows)


def _check_attempts(
    archive: Archive, folder: str, told: dict[str, Any], usage: dict[str, int], report: Report
) -> None:
    at = (-1, 0, 0)
    for tried in archive.lines(folder + bundle.ATTEMPTS):
        here = (tried["unit"], tried["replica"], tried["number"])
        if here <= at:
            report.add(folder + bundle.ATTEMPTS, f"unit {here[0]} is there twice, or not in order")
        at = here
        if told["queue"] == "model":
            bundle.add_usage(usage, tried["usage"])


def _check_prompts(archive: Archive, folder: str, told: dict[str, Any], report: Report) -> None:
    if told["prompts"]["status"] != "shown":
        return
    units = sum(1 for _ in archive.lines(folder + bundle.PROMPTS))
    report.compare(folder + bundle.PROMPTS, "units", told["ledger"]["units"], units)


def _ledger(told: dict[str, Any], counts: Counter[str]) -> StageLedger:
    """Return the ledger: good and bad are counted, what was never run is what is left of it."""
    said = told["ledger"]
    return StageLedger(
        name=told["name"],
        status=told["status"],
        is_result=told["is_result"],
        units=said["units"],
        succeeded=counts["succeeded"],
        failed=sum(counts[outcome] for outcome in _BAD),
        skipped=said["skipped"],
        cancelled=said["cancelled"],
    )


def _compare(told: dict[str, Any], found: Collected, where: str, report: Report) -> None:
    ledger, said = found.ledger, told["ledger"]
    for name in ("succeeded", "failed"):
        report.compare(where, name, said[name], getattr(ledger, name))
    sum_ = ledger.succeeded + ledger.failed + ledger.skipped + ledger.cancelled
    if told["status"] == "closed":
        report.compare(where, "units", said["units"], sum_)
    for name in bundle.MEASURES:
        report.compare(where, f"usage.{name}", told["usage"][name], found.usage[name])
    if told["output"] is not None:
        report.compare(where, "output.rows", told["output"]["rows"], found.rows)
        if told["output"]["sha256"] != found.output_hash:
            report.add(where, "the rows of its table are not those of its units")


def _cluster(stage: str, unit: dict[str, Any]) -> Cluster:
    """Return what failures are grouped by: outcome, code, and the wording without its numbers."""
    if unit["code"] == "missing_context":
        return stage, unit["outcome"], unit["code"], unit["code"]
    detail = (unit["detail"] or "")[:200]
    return stage, unit["outcome"], unit["code"], _NUMBER.sub("#", detail)


def _fetch_nothing(uri: str) -> Any:
    raise ValueError(f"a schema refers to {uri}; nothing is fetched")
