"""Carries outcomes over from the job that this one retries or forks: a query or two per shard."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from services.worker.forebear import Forebear
from services.worker.load_units import LoadedUnit
from services.worker.output_rows import kept_values
from services.worker.settle_unit import unit_hash
from services.worker.stage_run import StageRun
from shared.capabilities.contract import Capability, is_reusable
from shared.database import results
from shared.database.engine import Engine
from shared.database.results import Known
from shared.domain.outcome import Outcome, Settled

CACHE_HIT = {"calls": 0, "input_tokens": 0, "output_tokens": 0, "cost_microusd": 0, "cache_hits": 1}


def carried_over(engine: Engine, run: StageRun, loaded: Sequence[LoadedUnit]) -> dict[int, Settled]:
    """Return unit -> outcome for every unit that need not run, by what it came to before.

    A retry takes over all good units of every capability, whatever has effects included, and the
    bad ones it was not asked to run again. A fork takes over good answers of models.
    """
    parent = run.forebear
    if parent is None or not (parent.carries or _may_take(run, parent)):
        return {}
    hashes = {
        item.unit.index: [unit_hash(run, item.unit, hasher=one) for one in parent.hashers]
        for item in loaded
    }
    wanted = sorted({hash_ for of_unit in hashes.values() for hash_ in of_unit})
    with engine.connect() as connection:
        good = results.good_of_job(connection, parent.job_id, wanted)
        bad = results.bad_of_job(connection, parent.job_id, wanted) if parent.carries else {}
    bad = {hash_: one for hash_, one in bad.items() if not parent.reruns(one.code)}
    found = {}
    for item in loaded:
        for hash_ in hashes[item.unit.index]:
            known = good.get(hash_) or bad.get(hash_)
            if known is not None:
                found[item.unit.index] = _settled(run, item, hash_, known)
                break
    return found


def own_rows(
    run: StageRun, item: LoadedUnit, rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return known rows as this unit's: their own columns, beside what it keeps of its input."""
    names = [*run.spec.output["properties"], *(["_agreement"] if run.spec.replicas > 1 else [])]
    kept = kept_values(run, item.unit)
    return [{**kept, **{name: row.get(name) for name in names}} for row in rows]


def may_share(capability: Capability, params: Mapping[str, Any]) -> bool:
    """Return True for work whose answer may stand for equal work: a model's, without effects."""
    if capability.queue != "model" or capability.effects != "none":
        return False
    try:
        return is_reusable(capability, params)
    except Exception:  # noqa: BLE001 - a stranger's function; who cannot say may not share
        return False


def _may_take(run: StageRun, parent: Forebear) -> bool:
    return may_share(run.capability, run.spec.params) and (run.spec.replicas == 1 or parent.alike)


def _settled(run: StageRun, item: LoadedUnit, hash_: str, known: Known) -> Settled:
    good = known.outcome == "succeeded"
    return Settled(
        item.unit.index,
        cast("Outcome", known.outcome),  # the column allows no other
        1,
        code=known.code,
        detail=known.detail,
        output=own_rows(run, item, known.output or []) if good else None,
        unit_hash=hash_,
        source=item.source,
        missing=item.missing,
        usage=CACHE_HIT,
    )
