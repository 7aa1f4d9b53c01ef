"""The models a request names: refused alike for a job and for its estimate, priced as they cost."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from shared.settings import Settings
from tests.integration.api_door import JOB, TICKETS, Api, problem

PRICED = {
    "default": {"base_url": "http://127.0.0.1:9/v1", "model": "m", "own": True},
    "dear": {
        "base_url": "http://127.0.0.1:9/v1",
        "model": "d",
        "own": False,
        "prices": {"input_usd_per_million": 1_000, "output_usd_per_million": 1_000},
    },
}
LLM_PLAN: dict[str, Any] = {
    "version": 1,
    "stages": [
        {
            "name": "labels",
            "over": "tickets",
            "unit": {"rows": 1},
            "capability": "llm",
            "template": {"instructions": "Label it.", "input": "{{ text }}"},
            "output": {"type": "object", "properties": {"label": {"type": "string"}}},
        }
    ],
    "result": {"table": "labels"},
}


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(replace(settings, endpoints=json.dumps(PRICED)), database)
    yield made
    made.close()


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/estimate"])
@pytest.mark.parametrize("role", ["planner", "worker"])
def test_a_model_that_is_not_there_is_refused_by_jobs_and_estimates(
    api: Api, path: str, role: str
) -> None:
    before = api.kept()
    answer = api.post(path, json={**JOB, "models": {role: "huge"}})
    told = problem(answer, 422, "model_not_configured", f"/models/{role}")
    assert "there are: dear, default," in told["errors"][0]["detail"]
    assert api.kept() == before


def test_an_estimate_is_priced_for_the_workers_model_of_the_job(api: Api) -> None:
    body = {"plan": LLM_PLAN, "inputs": {"tickets": {"rows": TICKETS, "key": "id"}}}
    costs = {}
    for name in ("default", "dear"):
        made = api.post("/v1/jobs/estimate", json={**body, "models": {"worker": name}})
        assert made.status_code == 200, made.text
        costs[name] = made.get_json()["price"]["total"]["cost_microusd"]["expected"]
        assert made.get_json()["plan"] == LLM_PLAN
    assert costs["default"] == 0
    assert costs["dear"] > 0
