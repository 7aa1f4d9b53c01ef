"""The plan: what the stages of a job do to which tables."""

from dataclasses import dataclass, field
from typing import Any, Literal

UnitKind = Literal["rows", "group", "table"]


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """How a table is partitioned into units.

    ``rows``: `size` neighbouring rows, `overlap` more on each side as read-only context.
    ``group``: the rows that share `group_by`, in `order_by` order. ``table``: all rows.
    """

    kind: UnitKind
    size: int = 1
    overlap: int = 0
    group_by: tuple[str, ...] = ()
    order_by: tuple[str, ...] = ()

    @property
    def single_row(self) -> bool:
        """True when a unit is exactly one row."""
        return self.kind == "rows" and self.size == 1

    def to_json(self) -> dict[str, Any]:
        """Return the form of the plan document."""
        if self.kind == "table":
            return {"table": True}
        if self.kind == "group":
            return {"group_by": list(self.group_by), "order_by": list(self.order_by)}
        return {"rows": self.size, "overlap": self.overlap}

    @staticmethod
    def from_json(value: dict[str, Any]) -> "UnitSpec":
        """Read the form of the plan document (already validated)."""
        if "group_by" in value:
            return UnitSpec(
                "group",
                group_by=tuple(value["group_by"]),
                order_by=tuple(value.get("order_by", ())),
            )
        if "table" in value:
            return UnitSpec("table")
        return UnitSpec("rows", size=value["rows"], overlap=value.get("overlap", 0))


@dataclass(frozen=True, slots=True)
class Template:
    """The text of a subtask: `instructions` alike for all, `input` rendered per unit."""

    instructions: str
    input: str


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage: `template`/`capability` expanded over the units of `over`.

    `emit`, `retries`, `timeout_s` and `max_failed` are None where the plan is silent: the
    capability's or the deployment's default holds.
    """

    name: str
    over: tuple[str, ...]
    unit: UnitSpec
    capability: str
    params: dict[str, Any] = field(default_factory=dict)
    template: Template | None = None
    output: dict[str, Any] | None = None
    emit: Literal["one", "many"] | None = None
    keep: tuple[str, ...] = ()
    replicas: int = 1
    agree: Literal["majority", "all", "judge"] | None = None
    retries: int | None = None
    timeout_s: float | None = None
    max_failed: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan document, validated in shape (`shared.contracts.plan`), not yet linted."""

    version: int
    stages: tuple[StagePlan, ...]
    result: str
    brief: str = ""
    tables: dict[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    then: Literal["finish", "replan"] = "finish"
