from typing import Any

import pytest

from shared.plans.unit_hash import StageHasher

SOUND: dict[str, Any] = {
    "capability": "redact",
    "version": "1",
    "params": {"field": "text", "classes": ["email"]},
    "brief": "b",
    "instructions": None,
    "output": {"type": "object"},
}
ROWS = [{"id": 1, "text": "x"}]


def test_the_same_work_has_the_same_hash_whatever_the_order_of_fields() -> None:
    turned = {**SOUND, "params": dict(reversed(SOUND["params"].items()))}
    first = StageHasher(**SOUND).unit(ROWS, "p")
    assert first == StageHasher(**turned).unit([{"text": "x", "id": 1}], "p")
    assert len(first) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"capability": "split"},
        {"version": "2"},
        {"params": {"field": "other"}},
        {"brief": "c"},
        {"instructions": "i"},
        {"output": {"type": "object", "properties": {}}},
        {"emit": "many"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_fact_of_the_stage_counts(change: dict[str, Any]) -> None:
    assert StageHasher(**SOUND).unit(ROWS, "p") != StageHasher(**(SOUND | change)).unit(ROWS, "p")


@pytest.mark.parametrize(
    "other",
    [
        {"rows": [{"id": 2, "text": "x"}]},
        {"rows": [*ROWS, *ROWS]},
        {"prompt": "q"},
        {"prompt": None},
        {"replica": 1},
        {"before": ROWS},
        {"after": ROWS},
        {"tables": {"tickets": "ab"}},
    ],
    ids=str,
)
def test_everything_a_subtask_sees_counts(other: dict[str, Any]) -> None:
    stage = StageHasher(**SOUND)
    assert stage.unit(ROWS, "p") != stage.unit(**({"rows": ROWS, "prompt": "p"} | other))


def test_hashing_one_unit_does_not_change_the_next() -> None:
    stage = StageHasher(**SOUND)
    first = stage.unit(ROWS, "p")
    stage.unit([{"id": 9}], "q")
    assert stage.unit(ROWS, "p") == first
