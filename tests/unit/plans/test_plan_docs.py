from shared.plans.goals.refusal import CAN_DO
from shared.plans.lint import CODES
from tests.unit.plans.plan_facts import DOCS


def test_every_code_of_the_linter_is_in_the_documentation() -> None:
    text = DOCS.read_text()
    assert [code for code in CODES if f"| `{code}` |" not in text] == []


def test_every_goal_of_the_rules_is_in_the_documentation() -> None:
    text = DOCS.read_text()
    assert [goal for goal in CAN_DO if goal not in text] == []
