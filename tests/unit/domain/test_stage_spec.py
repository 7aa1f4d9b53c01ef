"""What a worker is told of a stage survives its way through Postgres."""

import json

import pytest

from shared.domain.plan import UnitSpec
from shared.domain.stage import Kept, StageSpec


@pytest.mark.parametrize(
    "unit",
    [
        UnitSpec("rows"),
        UnitSpec("rows", size=5, overlap=2),
        UnitSpec("table"),
        UnitSpec("group", group_by=("a", "b"), order_by=("c",)),
    ],
)
def test_a_stage_is_read_as_it_was_written(unit: UnitSpec) -> None:
    spec = StageSpec(
        over=("tickets", "styles"),
        unit=unit,
        params={"field": "text"},
        instructions=None,
        input="{{ rows }}",
        output={"type": "object"},
        emit="many",
        kept=(Kept("team", "list"), Kept("id", "value")),
        replicas=3,
        agree="all",
        retries=2,
        timeout_s=1.5,
    )
    assert StageSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
