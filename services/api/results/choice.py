"""Which rows of which stage a request wants, and in which order they come."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from services.api.problems import not_found
from shared.database import stages, tables
from shared.database.engine import Connection
from shared.database.jobs import JobRecord
from shared.database.result_pages import GOOD, NOT_GOOD
from shared.database.stages import StageRecord
from shared.database.tables import TableRecord
from shared.domain.columns import Column

Order = Literal["noted", "unit", "row"]
OUTCOMES: dict[str, tuple[str, ...]] = {
    "succeeded": GOOD,
    "failed": NOT_GOOD,
    "all": (*GOOD, *NOT_GOOD),
}
LINEAGE_COLUMN = "_apwa"
_ENDED = ("closed", "abandoned")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The request: a stage by name (None: the result's), an outcome, what to include."""

    stage: str | None
    outcome: str
    include: frozenset[str]

    @property
    def with_lineage(self) -> bool:
        """True when rows carry `_apwa`: asked for, or needed to tell failures."""
        return bool(self.include) or self.outcome != "succeeded"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The stage that answers it; `output` is its sealed table once closed.

    `stage` is None before a plan is visible: there are no rows yet.
    """

    wanted: Wanted
    stage: StageRecord | None
    output: TableRecord | None
    source: TableRecord | None  # the table whose rows lineage names
    others: tuple[TableRecord, ...] = ()  # what a unit over several tables reads besides

    @property
    def ended(self) -> bool:
        """True when no row will be added."""
        return self.stage is not None and self.stage.status in _ENDED

    @property
    def order(self) -> Order:
        """The order in which a reading that begins now goes."""
        if self.stage is None or self.stage.status in ("waiting", "open"):
            return "noted"
        return "row" if self.output is not None and not self.wanted.with_lineage else "unit"

    @property
    def outcomes(self) -> Sequence[str]:
        """The outcomes of `results` that are wanted."""
        return OUTCOMES[self.wanted.outcome]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the rows, lineage included."""
        own = self.stage.columns if self.stage else ()
        if self.wanted.outcome == "failed":
            own = ()
        return (*own, Column(LINEAGE_COLUMN, "json")) if self.wanted.with_lineage else own


def choose(connection: Connection, job: JobRecord, wanted: Wanted) -> Chosen:
    """Return what answers a request; 404 for a stage the plan does not have."""
    found = stages.of_job(connection, job.id)
    if wanted.stage is None:
        stage = next((one for one in reversed(found) if one.is_result), None)
    else:
        stage = next((one for one in found if one.name == wanted.stage), None)
        if stage is None:
            raise not_found("stage")
    if stage is None:
        return Chosen(wanted, None, None, None)
    source = tables.find(connection, input_id(stage))
    return Chosen(wanted, stage, _output(connection, stage), source, _others(connection, stage))


def with_present_source(connection: Connection, chosen: Chosen) -> Chosen:
    """Return the choice with its input as it is now, if rows were appended to it meanwhile."""
    if chosen.source is None or chosen.source.status != "open":
        return chosen
    return replace(chosen, source=tables.find(connection, chosen.source.id))


def _output(connection: Connection, stage: StageRecord) -> TableRecord | None:
    if stage.status != "closed":
        return None
    table = tables.find(connection, stage.output_table_id)
    return table if table is not None and table.status == "sealed" else None


def _others(connection: Connection, stage: StageRecord) -> tuple[TableRecord, ...]:
    found = (tables.find(connection, stage.reads[name]) for name in stage.spec["over"][1:])
    return tuple(table for table in found if table is not None)


def input_id(stage: StageRecord) -> str:
    """Return the id of the table the stage is over (the first one, for several)."""
    return stage.reads[stage.spec["over"][0]]
