from typing import Any

import pytest

from shared.actions.job_request import JobRequest
from shared.actions.refusals import Invalid
from shared.actions.require_models import require_models
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
        require_models(NOBODY, request(planning=planning))
    assert refused.value.code == "model_not_configured"
    assert refused.value.problems[0].pointer == "/planning"
    assert "OPENAI_BASE_URL" in refused.value.detail


@pytest.mark.parametrize("planning", ["auto", "rules", "given"])
def test_planning_without_a_model_needs_none(planning: str) -> None:
    require_models(NOBODY, request(planning=planning))


@pytest.mark.parametrize("planning", ["model", "direct", "auto"])
def test_with_a_model_everything_may_be_asked(planning: str) -> None:
    require_models(SOMEBODY, request(planning=planning, models={"planner": "default"}))


def test_a_planner_nobody_configured_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        require_models(SOMEBODY, request(models={"planner": "huge"}))
    assert refused.value.problems[0].pointer == "/models/planner"
    assert "worker" in refused.value.detail


def test_every_model_nobody_configured_is_refused_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        require_models(SOMEBODY, request(models={"planner": "huge", "worker": "tiny"}))
    assert refused.value.code == "model_not_configured"
    assert [one.pointer for one in refused.value.problems] == ["/models/planner", "/models/worker"]


def test_a_worker_that_nobody_configured_is_refused_without_a_planner_too() -> None:
    with pytest.raises(Invalid) as refused:
        require_models(NOBODY, request(planning="rules", models={"worker": "worker"}))
    assert refused.value.problems[0].pointer == "/models/worker"
    assert "none" in refused.value.detail
