"""The members of one stage: its outcomes, tries and prompts by unit, and what sums them up."""

import hashlib
from collections.abc import Iterator
from typing import Any

from services.api.answers import moment
from shared.actions.one_rows import StageNotRunnableError
from shared.actions.unit_inputs import units_in_order
from shared.actions.unit_prompt import StagePrompt, stage_prompt
from shared.contracts import bundle
from shared.contracts.json_values import canonical_json
from shared.database import bundles, tables
from shared.database.engine import Engine
from shared.database.stages import StageRecord
from shared.database.tables import TableRecord
from shared.domain.plan import UnitSpec
from shared.tables.arrow import batch_to_rows
from shared.tables.store import visible_batches

Members = Iterator[tuple[str, Iterator[bytes]]]


class StageReader:
    """Reads a stage once, in order; `usage` is complete when all members were."""

    def __init__(self, engine: Engine, stage: StageRecord) -> None:
        self._engine, self._stage = engine, stage
        self._prompts = "none"
        self.usage = bundle.nothing_used()

    def members(self) -> Members:
        """Yield name and pieces of each member; to be read to the end one after the other."""
        yield bundle.UNITS, self._units()
        yield bundle.ATTEMPTS, self._attempts()
        prompt, source = self._prompt()
        if prompt is not None and source is not None:
            yield bundle.PROMPTS, self._rendered(prompt, source)
        yield bundle.STAGE, self._summary(prompt)

    def _units(self) -> Iterator[bytes]:
        at = (-1, 0)
        while True:
            with self._engine.connect() as connection:
                page = bundles.results_after(connection, self._stage.id, *at)
            if not page:
                return
            at = (page[-1]["unit"], page[-1]["replica"])
            for row in page:
                self._count(row["usage"])
                row["settled_at"] = moment(row["settled_at"])
            yield b"".join(bundle.line(row) for row in page)

    def _attempts(self) -> Iterator[bytes]:
        at = (-1, 0, 0)
        while True:
            with self._engine.connect() as connection:
                page = bundles.attempts_after(connection, self._stage.id, *at)
            if not page:
                return
            at = (page[-1]["unit"], page[-1]["replica"], page[-1]["number"])
            for row in page:
                self._count(row["usage"])
                row["ended_at"] = moment(row["ended_at"])
            yield b"".join(bundle.line(row) for row in page)

    def _count(self, usage: dict[str, Any] | None) -> None:
        if self._stage.queue == "model":
            bundle.add_usage(self.usage, usage)

    def _prompt(self) -> tuple[StagePrompt | None, TableRecord | None]:
        """Return what renders the prompts; what they were made of may be erased by now."""
        with self._engine.connect() as connection:
            source = tables.find(connection, self._stage.source_table_id or "")
            try:
                prompt = stage_prompt(connection, self._stage) if source else None
            except (LookupError, StageNotRunnableError):
                self._prompts = "erased"
                return None, None
        if prompt is not None and source is not None:
            self._prompts = "shown" if source.status == "sealed" else "erased"
        return prompt, source if self._prompts == "shown" else None

    def _rendered(self, prompt: StagePrompt, source: TableRecord) -> Iterator[bytes]:
        spec = UnitSpec.from_json(self._stage.spec["unit"])
        for unit in units_in_order(self._engine, spec, source):
            yield bundle.line({"unit": unit.index, "user": prompt.user(unit)})

    def _summary(self, prompt: StagePrompt | None) -> Iterator[bytes]:
        stage = self._stage
        told = {
            "name": stage.name,
            "no": stage.no,
            "plan_version": stage.plan_version,
            "status": stage.status,
            "status_reason": stage.status_reason,
            "capability": stage.capability,
            "capability_version": stage.capability_version,
            "queue": stage.queue,
            "spec": stage.spec,
            "brief": stage.brief,
            "reads": stage.reads,
            "columns": [column.to_json() for column in stage.columns],
            "max_failed": stage.max_failed,
            "is_result": stage.is_result,
            "ledger": {
                "units": stage.unit_count or 0,
                "succeeded": stage.succeeded,
                "failed": stage.failed,
                "skipped": stage.skipped,
                "cancelled": stage.cancelled,
            },
            "prompts": {"status": self._prompts, "system": prompt.system if prompt else None},
            "usage": self.usage,
            "output": self._output(),
        }
        yield canonical_json(told)

    def _output(self) -> dict[str, Any] | None:
        """Return rows and hash of the sealed table, which the outcomes have to add up to."""
        with self._engine.connect() as connection:
            table = tables.find(connection, self._stage.output_table_id)
        if self._stage.status != "closed" or table is None or table.status != "sealed":
            return None
        digest = hashlib.sha256()
        for batch in visible_batches(self._engine, table):
            for row in batch_to_rows(batch):
                digest.update(bundle.line(row))
        return {"table": table.id, "rows": table.row_count, "sha256": digest.hexdigest()}
