"""What a worker needs to run a stage, with every default filled in."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from shared.domain.plan import UnitSpec

Agree = Literal["majority", "all", "judge"]


@dataclass(frozen=True, slots=True)
class Kept:
    """An input column carried to the output: the row's `value`, or a `list` over the unit."""

    name: str
    mode: Literal["value", "list"]


@dataclass(frozen=True, slots=True)
class StageSpec:
    """One stage as it runs; written by the planner into ``stages.spec``.

    `output` is the strict JSON Schema of one row of the capability's own output, `kept` the
    columns put beside it. `timeout_s` is the wall-clock limit of one attempt of one unit.
    """

    over: tuple[str, ...]
    unit: UnitSpec
    params: dict[str, Any]
    instructions: str | None
    input: str | None
    output: dict[str, Any]
    emit: Literal["one", "many"]
    kept: tuple[Kept, ...]
    replicas: int
    agree: Agree | None
    retries: int
    timeout_s: float

    def to_json(self) -> dict[str, Any]:
        """Return the form stored in Postgres."""
        return {**asdict(self), "unit": self.unit.to_json()}

    @staticmethod
    def from_json(value: dict[str, Any]) -> "StageSpec":
        """Read what `to_json` wrote."""
        return StageSpec(
            **{
                **value,
                "over": tuple(value["over"]),
                "unit": UnitSpec.from_json(value["unit"]),
                "kept": tuple(Kept(**kept) for kept in value["kept"]),
            }
        )
