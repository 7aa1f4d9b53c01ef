"""What the checks of the linter look at: the plan, the facts, and what follows from both."""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.capabilities.contract import Manifest
from shared.contracts.findings import json_pointer
from shared.domain.columns import Column
from shared.domain.plan import Plan, StagePlan
from shared.plans.columns import Resolution, resolve
from shared.plans.facts import PlanFacts


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage with its place, its manifest and the columns of its first input, where known."""

    stage: StagePlan
    index: int
    manifest: Manifest | None
    columns: tuple[Column, ...] | None
    keys: tuple[str, ...]

    def pointer(self, *parts: str | int) -> str:
        """Return the JSON Pointer of a field of the stage."""
        return json_pointer("stages", self.index, *parts)

    def over_pointer(self, position: int) -> str:
        """Return the pointer of one name of `over`, which is a list only when it has several."""
        several = len(self.stage.over) > 1
        return self.pointer("over", position) if several else self.pointer("over")

    @property
    def reads_tables(self) -> bool:
        """True when the capability gets whole tables instead of rows."""
        return self.manifest is not None and self.manifest.reads == "tables"

    def column(self, name: str) -> Column | None:
        """Return an input column by name."""
        return next((column for column in self.columns or () if column.name == name), None)


@dataclass(frozen=True, slots=True)
class PlanView:
    """The plan, the facts and the resolved columns, made once per lint."""

    plan: Plan
    facts: PlanFacts
    resolution: Resolution

    @staticmethod
    def of(plan: Plan, facts: PlanFacts) -> "PlanView":
        """Resolve a plan against facts."""
        return PlanView(plan, facts, resolve(plan, facts))

    @property
    def table_names(self) -> set[str]:
        """Every table there would be: inputs, literals, stages."""
        stages = {stage.name for stage in self.plan.stages}
        return {*self.facts.tables, *self.plan.tables, *stages}

    def stages(self) -> Iterator[StageView]:
        """Yield the stages in the document's order."""
        for index, stage in enumerate(self.plan.stages):
            manifest = self.facts.capabilities.get(stage.capability)
            columns = self.resolution.columns.get(stage.over[0])
            keys = self.resolution.keys.get(stage.over[0], ())
            yield StageView(stage, index, manifest, columns, keys)
