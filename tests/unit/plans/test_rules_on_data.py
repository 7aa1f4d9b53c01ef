"""The queries and heading patterns the rules write, on small tables of our own."""

from typing import Any

from services.worker.capabilities.split import run as split
from shared.capabilities.contract import Context, Unit
from shared.contracts.plan import load_plan
from shared.domain.columns import Column
from shared.plans.columns import table_columns
from shared.plans.rules import plan_by_rules
from shared.tables.arrow import rows_to_batch
from shared.tables.sql import SqlInput, SqlLimits, run_select
from tests.unit.plans.plan_facts import PLAY, TICKETS, facts

PLAY_TEXT = """A FARCE

Persons: Ann, Ben.

THE PROLOGUE

Good evening.

ACT I

SCENE I. A kitchen.

ANN.
Where is the cat?

SCENE II. The yard.

BEN.
On the roof.

ACT II

SCENE I. The roof.

ANN.
Come down.

EPILOGUE

Good night.
"""


def select(stage: dict[str, Any], columns: dict[str, Any], **rows: Any) -> list[dict[str, Any]]:
    inputs = {
        name: SqlInput(columns[name], [rows_to_batch(rows[name], columns[name])]) for name in rows
    }
    return [
        row for batch in run_select(stage["params"]["query"], inputs, SqlLimits()) for row in batch
    ]


def stages_of(goal: str, known: Any) -> tuple[dict[str, Any], dict[str, tuple[Column, ...]]]:
    document = plan_by_rules(goal, known)
    assert isinstance(document, dict)
    columns = table_columns(load_plan(document), known)
    return {stage["name"]: stage for stage in document["stages"]}, columns


def test_findings_are_counted_per_class_over_all_redactions() -> None:
    known = facts(tables={"tickets": TICKETS})
    goal = "Redact all personal data in the tickets and count the findings per class"
    stages, columns = stages_of(goal, known)
    tags = [{"class": "email", "count": 1}]
    text = [{"class": "email", "count": 2}, {"class": "phone", "count": 5}]
    counted = select(
        stages["findings"],
        columns,
        redacted_tags=[{"id": 1, "entities": tags}, {"id": 2, "entities": []}],
        redacted=[{"id": 1, "entities": text}, {"id": 2, "entities": tags}],
    )
    assert counted == [{"class": "phone", "count": 5}, {"class": "email", "count": 4}]


def test_rows_are_counted_per_value_with_null_as_a_value() -> None:
    known = facts(tables={"tickets": TICKETS})
    stages, columns = stages_of("Count the tickets by status", known)
    tickets = [{"status": status} for status in ("open", None, "open")]
    assert select(stages["counts"], columns, tickets=tickets) == [
        {"status": "open", "count": 2},
        {"status": None, "count": 1},
    ]


def test_a_play_gives_its_scenes_and_acts_and_the_prologue_makes_no_act() -> None:
    known = facts(tables={"play": PLAY})
    goal = "Summarise every scene, every act and the whole play"
    stages, columns = stages_of(goal, known)
    params = stages["sections"]["params"]
    context = Context(params, "", None, None, {}, 1, 0, 60.0, "key")
    sections = split(Unit(0, [{"name": "farce", "text": PLAY_TEXT}]), context)
    assert [(section["act"], section["scene"]) for section in sections] == [
        (None, "THE PROLOGUE"),
        ("ACT I", "SCENE I. A kitchen."),
        ("ACT I", "SCENE II. The yard."),
        ("ACT II", "SCENE I. The roof."),
        ("ACT II", "EPILOGUE"),
    ]
    scenes = [{**section, "summary": "s"} for section in sections]
    for scene in scenes:
        del scene["text"]
    within = select(stages["within_acts"], columns, scene_summaries=scenes)
    assert within == scenes[1:]
    acts = [
        {"act": "ACT I", "position": [2, 3], "summary": "a"},
        {"act": "ACT II", "position": [4, 5], "summary": "a"},
    ]
    rows = select(
        stages["summaries"],
        columns,
        scene_summaries=scenes,
        act_summaries=acts,
        whole=[{"position": [1, 2, 3, 4, 5], "summary": "w"}],
    )
    assert [row["level"] for row in rows] == ["scene"] * 5 + ["act"] * 2 + ["whole"]
    assert rows[-2] == {
        "level": "act",
        "act": "ACT II",
        "scene": None,
        "positions": [4, 5],
        "summary": "a",
    }
