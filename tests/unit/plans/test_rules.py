import re
from typing import Any

import pytest

from shared.contracts.plan import load_plan
from shared.domain.columns import Column
from shared.plans.columns import table_columns
from shared.plans.facts import PlanFacts, TableFacts
from shared.plans.lint import lint
from shared.plans.rules import CAN_DO, RulesRefusal, plan_by_rules
from tests.unit.plans.plan_facts import PLAY, TICKETS, facts

WIDE = TableFacts(
    columns=(
        Column("Ticket ID", "integer"),
        Column("opened", "timestamp"),
        Column("status", "string"),
        Column("contact e-mail", "string"),
        Column("subject", "string"),
        Column("body", "string"),
    ),
    rows=2_000,
    key="Ticket ID",
    distinct={"status": 4},
    mean_chars={"status": 6, "contact e-mail": 18, "subject": 25, "body": 400},
)
TICKETS_ONLY = facts(tables={"tickets": TICKETS})
WIDE_ONLY = facts(tables={"tickets": WIDE})
PLAY_ONLY = facts(tables={"play": PLAY})


def written(goal: str, known: PlanFacts) -> dict[str, Any]:
    document = plan_by_rules(goal, known)
    assert isinstance(document, dict), document
    return document


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {stage["name"]: stage for stage in document["stages"]}


@pytest.mark.parametrize(
    ("goal", "known"),
    [
        ("Redact all personal data", WIDE_ONLY),
        ("redact PII.", TICKETS_ONLY),
        ("Please anonymise all personal data in the tickets", WIDE_ONLY),
        ("Redact all personal data in the tickets and count the findings per class", WIDE_ONLY),
        ("Redact dates of birth and e-mail addresses in the body column", WIDE_ONLY),
        ("Redact the subject and body of the tickets", WIDE_ONLY),
        ("Summarise every scene, every act and the whole play", PLAY_ONLY),
        ("Summarize every scene, every act, and the whole play!", PLAY_ONLY),
        ("Summarize each chapter, each part and the whole book", PLAY_ONLY),
        ("Summarise each paragraph and the whole text", PLAY_ONLY),
        ("Summarise each ticket", WIDE_ONLY),
        ("Summarise each ticket and everything", WIDE_ONLY),
        ("Summarise the tickets by status", WIDE_ONLY),
        ("Summarise each status and the whole", WIDE_ONLY),
        ("Summarise the whole text", PLAY_ONLY),
        ("Extract e-mail and order number from body", WIDE_ONLY),
        ("Extract the e-mail addresses, dates and IBAN from the tickets", WIDE_ONLY),
        ("Split the text into sentences", PLAY_ONLY),
        ("Split the play into acts and scenes", PLAY_ONLY),
        ("Split each ticket into chunks of 500 tokens", WIDE_ONLY),
        ("Count the tickets by status", WIDE_ONLY),
        ("How many tickets are there per status and contact email?", WIDE_ONLY),
        ("Group the tickets by status", WIDE_ONLY),
        ("Count the rows", TICKETS_ONLY),
    ],
)
def test_a_recognised_goal_becomes_a_plan_without_findings(goal: str, known: PlanFacts) -> None:
    assert lint(load_plan(written(goal, known)), known) == []


@pytest.mark.parametrize("example", CAN_DO)
def test_every_example_of_what_the_rules_can_do_is_done(example: str) -> None:
    goal = re.sub(r" \(also .+\)|[\[\]]", "", example)
    for words, meant in (
        ("TABLE by COLUMN", "tickets by status"),
        ("COLUMN", "body"),
        ("TABLE", "tickets"),
        ("ROW of a table", "ticket"),
        ("paragraphs, sentences, scenes, chapters or chunks of N tokens", "paragraphs"),
        (", or the tickets by status", ""),
    ):
        goal = goal.replace(words, meant)
    assert lint(load_plan(written(goal, WIDE_ONLY)), WIDE_ONLY) == []


def test_redaction_takes_every_column_that_may_hold_personal_data() -> None:
    stages = written("Redact all personal data", WIDE_ONLY)["stages"]
    assert [stage["params"]["field"] for stage in stages] == ["contact e-mail", "subject", "body"]
    assert [stage["over"] for stage in stages[1:]] == [stage["name"] for stage in stages[:-1]]


def test_the_redacted_table_has_every_column_of_its_input() -> None:
    document = written("Redact all personal data", WIDE_ONLY)
    columns = table_columns(load_plan(document), WIDE_ONLY)[document["result"]["table"]]
    assert {column.name for column in WIDE.columns} | {"entities"} == {
        column.name for column in columns
    }


def test_without_a_usual_name_the_longest_text_is_redacted() -> None:
    plain = TableFacts(
        (Column("a", "string"), Column("b", "string")), 9, mean_chars={"a": 5, "b": 20}
    )
    (only,) = written("Redact all personal data", facts(tables={"t": plain}))["stages"]
    assert (only["params"]["field"], only["keep"]) == ("b", ["a"])


def test_the_count_reads_every_redaction() -> None:
    goal = "Redact all personal data in the tickets and count the findings per class"
    document = written(goal, WIDE_ONLY)
    stages = by_name(document)
    assert document["result"] == {"table": "findings"}
    assert stages["findings"]["over"] == [name for name in stages if name != "findings"]
    columns = table_columns(load_plan(document), WIDE_ONLY)["findings"]
    assert [(column.name, column.type) for column in columns] == [
        ("class", "string"),
        ("count", "integer"),
    ]


def test_named_classes_are_the_only_ones_redacted() -> None:
    goal = "Redact e-mail addresses and phone numbers in the body"
    (only,) = written(goal, WIDE_ONLY)["stages"]
    assert only["params"] == {"field": "body", "classes": ["email", "phone"]}


def test_summaries_rise_from_scenes_to_acts_without_what_stands_outside_every_act() -> None:
    document = written("Summarise every scene, every act and the whole play", PLAY_ONLY)
    stages = by_name(document)
    levels = stages["sections"]["params"]["levels"]
    assert [level["column"] for level in levels] == ["act", "scene"]
    assert stages["scene_summaries"]["unit"] == {"rows": 1}
    assert stages["act_summaries"]["unit"] == {"group_by": ["act"], "order_by": ["position"]}
    assert stages["act_summaries"]["over"] == "within_acts"
    assert stages["within_acts"]["params"]["query"].endswith('WHERE "act" IS NOT NULL')
    assert stages["whole"]["over"] == "scene_summaries"
    assert stages["whole"]["unit"] == {"table": True}
    columns = table_columns(load_plan(document), PLAY_ONLY)[document["result"]["table"]]
    assert [column.name for column in columns] == [
        "level",
        "act",
        "scene",
        "positions",
        "summary",
    ]


def test_acts_of_several_plays_are_not_mixed() -> None:
    plays = TableFacts(PLAY.columns, 3, key="name")
    goal = "Summarise every scene, every act and every play"
    stages = by_name(written(goal, facts(tables={"plays": plays})))
    assert stages["act_summaries"]["unit"]["group_by"] == ["name", "act"]
    assert stages["document_summaries"]["unit"]["group_by"] == ["name"]


def test_stage_names_avoid_the_inputs() -> None:
    known = facts(tables={"redacted": TICKETS})
    assert written("Redact all personal data", known)["result"] == {"table": "redacted_2"}


def test_identifiers_are_quoted() -> None:
    strange = TableFacts((Column('say "what"', "string"), Column("text", "string")), 5)
    goal = "Count the rows by say what"
    document = written(goal, facts(tables={"t": strange}))
    assert '"say ""what"""' in document["stages"][0]["params"]["query"]


@pytest.mark.parametrize(
    ("goal", "code"),
    [
        ("Write me a poem", "goal_not_recognised"),
        ("", "goal_not_recognised"),
        ("x" * 100_000, "goal_not_recognised"),
        ("Redact all personal data and translate it to French", "goal_not_recognised"),
        ("Redact all personal data from the tickets of 2023", "goal_not_recognised"),
        ("How many open tickets are there", "goal_not_recognised"),
        ("Count the tickets that are open", "goal_not_recognised"),
        ("Redact all names", "not_covered"),
        ("Redact all personal data in the notes column", "unknown_column"),
        ("Count the tickets by colour", "unknown_column"),
        ("Count the tickets by tags", "json_column"),
        ("Extract shoe sizes from text", "unknown_field_name"),
    ],
)
def test_a_goal_not_wholly_understood_is_refused(goal: str, code: str) -> None:
    refused = plan_by_rules(goal, TICKETS_ONLY)
    assert isinstance(refused, RulesRefusal)
    assert refused.code == code
    assert refused.can_do == CAN_DO


def test_the_refusal_says_how_to_go_on() -> None:
    refused = plan_by_rules("Write me a poem", TICKETS_ONLY)
    assert isinstance(refused, RulesRefusal)
    for word in (
        "plan of your own",
        "not part of this version",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ):
        assert word in refused.detail


def test_a_goal_that_names_none_of_several_tables_is_refused_with_their_names() -> None:
    refused = plan_by_rules("Redact all personal data", facts())
    assert isinstance(refused, RulesRefusal)
    assert refused.code == "ambiguous_table"
    assert "`tickets`" in refused.detail
    assert isinstance(plan_by_rules("Redact all personal data in the tickets", facts()), dict)


def test_a_job_without_tables_is_refused() -> None:
    refused = plan_by_rules("Redact all personal data", facts(tables={}))
    assert isinstance(refused, RulesRefusal)
    assert refused.code == "no_table"


def test_a_table_without_text_is_refused() -> None:
    numbers = facts(tables={"t": TableFacts((Column("n", "number"),), 5)})
    refused = plan_by_rules("Redact all personal data", numbers)
    assert isinstance(refused, RulesRefusal)
    assert refused.code == "no_text_column"


def test_a_plan_this_deployment_cannot_run_is_a_refusal() -> None:
    bare = PlanFacts(tables={"tickets": TICKETS}, capabilities={})
    refused = plan_by_rules("Redact all personal data", bare)
    assert isinstance(refused, RulesRefusal)
    assert refused.code == "capability_unavailable"
