"""What a retried or forked job may take over from its parent, prepared once per stage."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shared.actions.one_rows import StageNotRunnableError, one_rows_of
from shared.contracts.json_values import canonical_json
from shared.database import jobs, stages
from shared.database.engine import Connection
from shared.database.jobs import JobRecord
from shared.database.stages import StageRecord
from shared.domain.stage import StageSpec
from shared.plans.unit_hash import StageHasher

MOST_GENERATIONS = 20


@dataclass(frozen=True, slots=True)
class Forebear:
    """Where known outcomes are, and the hashes they may stand under.

    `hashers` are those of the stage of this name there, and of the jobs that one was a retry of:
    outcomes that were carried over keep the hash of the work they came from. A retry `carries`
    everything but the outcomes in `rerun`: ``{"select": "failed"}`` or an error code. A fork takes
    over good answers of equal work only.
    """

    job_id: str
    hashers: tuple[StageHasher, ...]
    carries: bool
    rerun: Mapping[str, Any]
    alike: bool  # the stage is the same there, replicas and how they agree included

    def reruns(self, code: str | None) -> bool:
        """Return True when a unit that ended badly with this code is to run again."""
        select = self.rerun.get("select", "failed")
        return bool(select == "failed" or select["error_code"] == code)


def forebear_of(connection: Connection, job: JobRecord, record: StageRecord) -> Forebear | None:
    """Return what a stage may take over; None for a job that comes from no other."""
    parent_id = job.retry_of or job.forked_from
    if parent_id is None or (job.retry_of is None and job.policy.get("reuse") == "none"):
        return None
    own = _facts(record)
    family = _family(connection, parent_id, record.name)
    alike = bool(family) and _facts(family[0]) == own
    known = [stage for stage in family if job.retry_of is not None or alike]
    return Forebear(
        job_id=parent_id,
        hashers=tuple(_hashers(connection, _distinct([record, *known]))),
        carries=job.retry_of is not None,
        rerun=job.carry or {},
        alike=alike,
    )


def _hashers(connection: Connection, found: list[StageRecord]) -> Iterator[StageHasher]:
    """What hashes the units of each stage; one whose quoted tables are gone is left out."""
    for record in found:
        spec = StageSpec.from_json(record.spec)
        with suppress(LookupError, StageNotRunnableError):
            yield StageHasher(
                capability=record.capability,
                version=record.capability_version,
                params=spec.params,
                brief=record.brief,
                instructions=one_rows_of(connection, record, spec).instructions,
                output=spec.output,
                emit=spec.emit,
            )


def _family(connection: Connection, parent_id: str, name: str) -> list[StageRecord]:
    """Return the stage of this name of the parent, and of the jobs that one was a retry of."""
    found: list[StageRecord] = []
    next_id: str | None = parent_id
    while next_id is not None and len(found) < MOST_GENERATIONS:
        stage = next((one for one in stages.of_job(connection, next_id) if one.name == name), None)
        job = jobs.find(connection, next_id)
        if stage is None or job is None:
            break
        found.append(stage)
        next_id = job.retry_of
    return found


def _distinct(found: list[StageRecord]) -> list[StageRecord]:
    by_facts: dict[bytes, StageRecord] = {}
    for stage in found:
        by_facts.setdefault(_facts(stage), stage)
    return list(by_facts.values())


def _facts(record: StageRecord) -> bytes:
    """Return all that a unit's outcome depends on besides its rows."""
    spec = {name: value for name, value in record.spec.items() if name not in {"kept", "retries"}}
    spec = {name: value for name, value in spec.items() if name != "timeout_s"}
    return canonical_json([record.capability, record.capability_version, record.brief, spec])
