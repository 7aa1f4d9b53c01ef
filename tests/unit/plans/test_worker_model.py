from typing import Any

from shared.plans.worker_model import with_worker
from tests.unit.plans.plan_facts import llm_stage, plan, stage


def models_of(*stages: dict[str, Any], worker: str | None) -> list[Any]:
    run_as = with_worker(plan(*stages), worker)
    return [one.params.get("model") for one in run_as.stages]


def test_stages_that_leave_the_model_to_the_worker_get_the_jobs() -> None:
    silent, said = llm_stage(name="a"), llm_stage(name="b", params={"model": "worker"})
    assert models_of(silent, said, worker="small") == ["small", "small"]


def test_a_stage_that_names_a_model_keeps_it() -> None:
    assert models_of(llm_stage(params={"model": "judge"}), worker="small") == ["judge"]


def test_stages_that_call_no_model_are_left_alone() -> None:
    assert models_of(stage(), worker="small") == [None]


def test_without_a_model_of_the_job_nothing_changes() -> None:
    assert models_of(llm_stage(), worker=None) == [None]
    assert models_of(llm_stage(), worker="worker") == [None]
