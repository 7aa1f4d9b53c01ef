"""Answers units from what an equal unit came to before: one query per shard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.worker.carry_over import CACHE_HIT, carried_over, may_share, own_rows
from services.worker.load_units import LoadedUnit
from services.worker.settle_unit import unit_hash
from services.worker.stage_run import StageRun
from shared.database import results
from shared.database.engine import Engine
from shared.domain.outcome import Settled


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

    Only succeeded results of the same project count (`policy.reuse: project`), and of the job this
    one comes from; `none` turns twins off too. A retried job takes over the outcomes of every
    stage.
    """
    known = carried_over(engine, run, loaded) if run.forebear else {}
    carried = list(known.values())
    loaded = [item for item in loaded if item.unit.index not in known]
    if (
        not may_share(run.capability, run.spec.params)
        or run.job.reuse == "none"
        or run.spec.replicas > 1
    ):
        return Work(loaded, carried, {})
    hashes = {item.unit.index: unit_hash(run, item.unit) for item in loaded}
    found: Mapping[str, list[dict[str, Any]]] = {}
    if run.job.reuse == "project":
        with engine.connect() as connection:
            found = results.reusable(connection, run.job.project_id, sorted(set(hashes.values())))
    work, runners = Work([], carried, {}), dict[str, int]()
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
    return Settled(
        item.unit.index,
        "succeeded",
        1,
        output=own_rows(run, item, rows),
        unit_hash=unit_hash(run, item.unit),
        source=item.source,
        missing=item.missing,
        usage=CACHE_HIT,
    )
