"""How a stage's units are cut into shards, and which jobs may publish how many."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.domain.plan import UnitSpec


@dataclass(frozen=True, slots=True)
class ShardRange:
    """One shard to write: units [first_unit, first_unit + unit_count), and their own rows."""

    no: int
    first_unit: int
    unit_count: int
    first_row: int
    row_count: int


def shard_size(units: int, live_slots: int, *, most: int, forced: int = 0) -> int:
    """Return units per shard: clamp(units / (4 x live slots), 1, `most`), or `forced` if set."""
    if forced:
        return min(forced, most)
    return max(1, min(most, math.ceil(units / (4 * max(1, live_slots)))))


def unit_total(spec: UnitSpec, rows: int) -> int:
    """Return how many units of kind rows or table a table of `rows` rows has."""
    if spec.kind == "table":
        return 1
    return math.ceil(rows / spec.size)


def cut_rows(
    spec: UnitSpec, rows: int, size: int, *, from_unit: int = 0, bytes_per_row: float = 0.0,
    max_bytes: int = 0,
) -> Iterator[ShardRange]:  # fmt: skip
    """Yield the shards of row units from `from_unit` on; a shard is numbered by its first unit."""
    units = unit_total(spec, rows)
    if max_bytes and bytes_per_row > 0:
        size = max(1, min(size, int(max_bytes / (bytes_per_row * spec.size))))
    for first in range(from_unit, units, size):
        count = min(size, units - first)
        first_row = first * spec.size
        yield ShardRange(first, first, count, first_row, min(count * spec.size, rows - first_row))


def fair_shares(jobs: Mapping[str, tuple[str, float, float]]) -> dict[str, float]:
    """Return each job's share of all slots; `jobs` has (project, project weight, priority) by id.

    Projects share by their weights, however many jobs each has, and the jobs of a project share
    what it gets by their priorities.
    """
    projects = {project: weight for project, weight, _ in jobs.values()}
    priorities: dict[str, float] = {}
    for project, _, priority in jobs.values():
        priorities[project] = priorities.get(project, 0.0) + priority
    total = sum(projects.values())
    return {
        id_: weight / total * priority / priorities[project]
        for id_, (project, weight, priority) in jobs.items()
    }


def window(total_slots: int, weights: Mapping[str, float], job_id: str) -> int:
    """Return how many shards of this job may be out at once: 2 x slots x fair share, at least 2."""
    share = weights[job_id] / sum(weights.values())
    return max(2, math.ceil(2 * total_slots * share))
