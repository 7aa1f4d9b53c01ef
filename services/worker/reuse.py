"""Answers units from what an equal unit came to before: one query per shard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.worker.load_units import LoadedUnit
from services.worker.output_rows import kept_values
from services.worker.settle_unit import unit_hash
from services.worker.stage_run import StageRun
from shared.capabilities.contract import Capability, is_reusable
from shared.database import results
from shared.database.engine import Engine
from shared.domain.outcome import Settled

CACHE_HIT = {"calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_microusd": 0, "cache_hits": 1}


@dataclass(frozen=True, slots=True)
class Work:
    """What is left of a shard: units to run, and twins that take over a runner's answer.

    `known` outcomes need no run. `twins` maps the unit that runs to equal ones of this shard.
    """

    to_run: list[LoadedUnit]
    known: list[Settled]
    twins: dict[int, list[LoadedUnit]]


def look_up(
    engine: Engine, run: StageRun, loaded: Sequence[LoadedUnit], tried: Mapping[int, object]
) -> Work:
    """Part the units of a model stage by what is known; other stages run all their units.

    Only succeeded results of the same project count (`policy.reuse: project`); `none` turns
    twins off too.
    """
    if (
        not _may_share(run.capability, run.spec.params)
        or run.job.reuse == "none"
        or run.spec.replicas > 1
    ):
        return Work(list(loaded), [], {})
    hashes = {item.unit.index: unit_hash(run, item.unit) for item in loaded}
    found: Mapping[str, list[dict[str, Any]]] = {}
    if run.job.reuse == "project":
        with engine.connect() as connection:
            found = results.reusable(connection, run.job.project_id, sorted(set(hashes.values())))
    work, runners = Work([], [], {}), dict[str, int]()
    for item in loaded:
        hash_ = hashes[item.unit.index]
        if hash_ in found:
            work.known.append(reused(run, item, found[hash_]))
        elif hash_ in runners and item.unit.index not in tried:
            work.twins.setdefault(runners[hash_], []).append(item)
        else:
            runners[hash_] = item.unit.index
            work.to_run.append(item)
    return work


def reused(run: StageRun, item: LoadedUnit, rows: Sequence[Mapping[str, Any]]) -> Settled:
    """Return the outcome of a unit whose answer is known; its kept columns are its own."""
    names = run.spec.output["properties"].keys()
    kept = kept_values(run, item.unit)
    return Settled(
        item.unit.index,
        "succeeded",
        1,
        output=[{**kept, **{name: row[name] for name in names}} for row in rows],
        unit_hash=unit_hash(run, item.unit),
        source=item.source,
        missing=item.missing,
        usage=CACHE_HIT,
    )


def _may_share(capability: Capability, params: Mapping[str, Any]) -> bool:
    if capability.queue != "model" or capability.effects != "none":
        return False
    try:
        return is_reusable(capability, params)
    except Exception:  # noqa: BLE001 - a stranger's function; who cannot say may not share
        return False
