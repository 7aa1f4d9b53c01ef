"""What all shards of one stage share in this process, prepared once."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from shared.capabilities.contract import Capability
from shared.database import jobs, keys, stages, tables
from shared.database.engine import Connection, Engine
from shared.database.stages import StageRecord
from shared.database.tables import TableRecord
from shared.domain.stage import StageSpec
from shared.plans.render import CompiledTemplate, compile_template, render, to_text
from shared.plans.unit_hash import StageHasher
from shared.prompts.marking import marked
from shared.tables.store import read_range, rows_of, visible

_KEPT_STAGES = 64
SMALL_UNITS = 50  # a stage of so few units counts as small for the limiter's reserved share


class StageNotRunnableError(RuntimeError):
    """The stage cannot run here; `code` and text become the outcome of its units."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


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

    def get(self, stage_id: int) -> StageRun:
        """Return the prepared stage; raise StageNotRunnableError when it cannot be."""
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
    read = {
        name: _table(connection, table_id)
        for name, table_id in record.reads.items()
        if name not in spec.over
    }
    one_row_tables = {name: _one_row(connection, name, table) for name, table in read.items()}
    told = {name: _told(read[name], row) for name, row in one_row_tables.items()}
    instructions = render(spec.instructions, [], False, {}, told) if spec.instructions else None
    return StageRun(
        record=record,
        spec=spec,
        capability=capability,
        source=_table(connection, record.source_table_id),
        over={name: _table(connection, record.reads[name]) for name in spec.over},
        one_row_tables=one_row_tables,
        instructions=instructions,
        input=compile_template(spec.input) if spec.input else None,
        validator=jsonschema_rs.validator_for(spec.output),
        hasher=StageHasher(
            capability=capability.name,
            version=capability.version,
            params=spec.params,
            brief=record.brief,
            instructions=instructions,
            output=spec.output,
            emit=spec.emit,
        ),
        job=_job_facts(connection, record),
    )


def _job_facts(connection: Connection, record: StageRecord) -> JobFacts:
    job = jobs.find(connection, record.job_id)
    if job is None:
        raise LookupError(f"job {record.job_id} is gone")
    weight = keys.project_weight(connection, job.project_id)
    return JobFacts(
        project_id=job.project_id,
        weight=float(weight * job.priority),
        small=(record.unit_count or 0) <= SMALL_UNITS,
        max_pack=int(job.policy.get("max_pack") or 1),
        reuse=str(job.policy.get("reuse") or "parent"),
    )


def _table(connection: Connection, table_id: str) -> TableRecord:
    found = tables.find(connection, table_id)
    if found is None or found.status != "sealed":
        raise LookupError(f"table {table_id} is not sealed")
    return found


def _one_row(connection: Connection, name: str, table: TableRecord) -> dict[str, Any]:
    if table.row_count != 1:
        raise StageNotRunnableError(
            "not_one_row",
            f"The template reads a column of table {name}, which has {table.row_count} rows; "
            "only a table of one row can be read so.",
        )
    return rows_of(visible(read_range(connection, table, 0, 1).rows, table.columns))[0]


def _told(table: TableRecord, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row as instructions may quote it: as data, unless the plan itself wrote it."""
    if table.kind == "literal":
        return row
    return {name: None if value is None else marked(to_text(value)) for name, value in row.items()}
