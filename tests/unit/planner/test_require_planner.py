from typing import Any

import pytest

from shared.actions.job_request import JobRequest
from shared.actions.refusals import Invalid
from shared.actions.require_planner import require_planner
from shared.settings import Settings

NOBODY = Settings()
SOMEBODY = Settings(openai_base_url="http://127.0.0.1:1/v1", model="fake")


def request(**changes: Any) -> JobRequest:
    known: dict[str, Any] = {
        "goal": "Do it.", "planning": "auto", "plan": None, "output": None, "policy": {},
        "priority": 5,
    }  # fmt: skip
    return JobRequest(**(known | changes))


@pytest.mark.parametrize("planning", ["model", "direct"])
def test_a_model_that_is_not_there_is_refused_with_what_to_set(planning: str) -> None:
    with pytest.raises(Invalid) as refused:
        require_planner(NOBODY, request(planning=planning))
    assert refused.value.code == "model_not_configured"
    assert refused.value.problems[0].pointer == "/planning"
    assert "OPENAI_BASE_URL" in refused.value.detail


@pytest.mark.parametrize("planning", ["auto", "rules", "given"])
def test_planning_without_a_model_needs_none(planning: str) -> None:
    require_planner(NOBODY, request(planning=planning))


@pytest.mark.parametrize("planning", ["model", "direct", "auto"])
def test_with_a_model_everything_may_be_asked(planning: str) -> None:
    require_planner(SOMEBODY, request(planning=planning, models={"planner": "default"}))


def test_a_planner_nobody_configured_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        require_planner(SOMEBODY, request(models={"planner": "huge"}))
    assert refused.value.problems[0].pointer == "/models/planner"
    assert "worker" in refused.value.detail
