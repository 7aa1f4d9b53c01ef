"""What all shards of one stage share in this process, prepared once."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import jsonschema_rs

from services.worker.forebear import Forebear, forebear_of
from shared.actions.one_rows import one_rows_of, table_of
from shared.capabilities.contract import Capability
from shared.database import jobs, keys, stages
from shared.database.engine import Connection, Engine
from shared.database.jobs import JobRecord
from shared.database.stages import StageRecord
from shared.database.tables import TableRecord
from shared.domain.stage import StageSpec
from shared.plans.render import CompiledTemplate, compile_template
from shared.plans.unit_hash import StageHasher

_KEPT_STAGES = 64
SMALL_UNITS = 50  # a stage of so few units counts as small for the limiter's reserved share


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What model calls need to know of the job. `weight` is project weight times priority."""

    project_id: str
    weight: float
    small: bool
    max_pack: int
    reuse: str


@dataclass(frozen=True, slots=True)
class StageRun:
    """A stage ready to run: compiled template, validator, hasher, and the tables it reads.

    `source` is the table the units number. `one_row_tables` maps names used by the template.
    `instructions` are rendered, since they are alike for all units.
    """

    record: StageRecord
    spec: StageSpec
    capability: Capability
    source: TableRecord
    over: Mapping[str, TableRecord]
    one_row_tables: Mapping[str, dict[str, Any]]
    instructions: str | None
    input: CompiledTemplate | None
    validator: Any
    hasher: StageHasher
    job: JobFacts
    forebear: Forebear | None = None

    @property
    def pack(self) -> int:
        """How many units share one model call; 1 unless plan and policy allow more."""
        wanted = int(self.spec.params.get("pack", 1))
        if not hasattr(self.capability, "run_pack") or self.spec.replicas > 1:
            return 1
        return max(1, min(wanted, self.job.max_pack))

    @property
    def reads_tables(self) -> bool:
        """True when units get table handles instead of rows."""
        return getattr(self.capability, "reads", "rows") == "tables"


class StageRuns:
    """A small cache of prepared stages by id; a stage does not change once it is open."""

    def __init__(self, engine: Engine, capabilities: Mapping[str, Capability]) -> None:
        self._engine, self._capabilities = engine, capabilities
        self._runs: OrderedDict[int, StageRun] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, stage_id: int, end_row: int = 0) -> StageRun:
        """Return the prepared stage; raise StageNotRunnableError when it cannot be.

        A table that rows are still appended to is known up to row `end_row` at least.
        """
        run = self._known(stage_id)
        if run.source.status == "open" and run.source.row_count < end_row:
            run = self._grown(run)
        return run

    def _grown(self, run: StageRun) -> StageRun:
        with self._engine.connect() as connection:
            source = table_of(connection, run.source.id, run.record)
        grown = replace(run, source=source, over=dict.fromkeys(run.over, source))
        with self._lock:
            self._runs[run.record.id] = grown
        return grown

    def _known(self, stage_id: int) -> StageRun:
        with self._lock:
            if stage_id in self._runs:
                self._runs.move_to_end(stage_id)
                return self._runs[stage_id]
        with self._engine.connect() as connection:
            run = _prepare(connection, self._capabilities, stage_id)
        with self._lock:
            self._runs[stage_id] = run
            if len(self._runs) > _KEPT_STAGES:
                self._runs.popitem(last=False)
        return run


def _prepare(
    connection: Connection, capabilities: Mapping[str, Capability], stage_id: int
) -> StageRun:
    record = stages.find(connection, stage_id)
    if record is None or record.source_table_id is None:
        raise LookupError(f"stage {stage_id} is not open")
    spec = StageSpec.from_json(record.spec)
    capability = capabilities[record.capability]
    quoted = one_rows_of(connection, record, spec)
    job = _job(connection, record)
    return StageRun(
        record=record,
        spec=spec,
        capability=capability,
        source=table_of(connection, record.source_table_id, record),
        over={name: table_of(connection, record.reads[name], record) for name in spec.over},
        one_row_tables=quoted.rows,
        instructions=quoted.instructions,
        input=compile_template(spec.input) if spec.input else None,
        validator=jsonschema_rs.validator_for(spec.output),
        hasher=StageHasher(
            capability=capability.name,
            version=capability.version,
            params=spec.params,
            brief=record.brief,
            instructions=quoted.instructions,
            output=spec.output,
            emit=spec.emit,
        ),
        job=_job_facts(connection, job, record),
        forebear=forebear_of(connection, job, record),
    )


def _job(connection: Connection, record: StageRecord) -> JobRecord:
    job = jobs.find(connection, record.job_id)
    if job is None:
        raise LookupError(f"job {record.job_id} is gone")
    return job


def _job_facts(connection: Connection, job: JobRecord, record: StageRecord) -> JobFacts:
    weight = keys.project_weight(connection, job.project_id)
    return JobFacts(
        project_id=job.project_id,
        weight=float(weight * job.priority),
        small=not record.streams and (record.unit_count or 0) <= SMALL_UNITS,
        max_pack=int(job.policy.get("max_pack") or 1),
        reuse=str(job.policy.get("reuse") or "parent"),
    )
