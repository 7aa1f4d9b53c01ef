"""A unit that needs other rows says so, and the next round is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fake_llm.process import FakeModel
from tests.stack import Stack

ROWS, ASKING = 24, 3  # every third row asks
PLAN: dict[str, Any] = {
    "version": 1,
    "stages": [
        {
            "name": "answers",
            "over": "tickets",
            "unit": {"rows": 1},
            "capability": "llm",
            "params": {"may_ask_for_context": True},
            "template": {"instructions": "Is it solved?", "input": "{{ text }}"},
            "output": {
                "type": "object",
                "properties": {"answer": {"type": "string"}},
                "required": ["answer"],
            },
        }
    ],
    "result": {"table": "answers"},
    "then": "replan",
}


def row_text(number: int) -> str:
    said = f"MARK-{number:05d} as I wrote before"
    return f"{said} CONTEXT:thread{number}" if number % ASKING == 0 else said


def test_what_units_miss_is_one_cluster_and_the_next_round_makes_up_for_it(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with FakeModel(tmp_path, keep_requests=True) as model:
        stack = make_stack(
            OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-test", APWA_MODEL="fake"
        ).start_all(workers=2)
        rows = [{"id": number, "text": row_text(number)} for number in range(ROWS)]
        job_id = stack.submit(
            {
                "goal": "Say in several rounds whether the tickets are solved.",
                "plan": PLAN,
                "inputs": {"tickets": {"rows": rows, "key": "id"}},
                "policy": {"max_rounds": 2, "min_success": 0.5},
            }
        )
        job = stack.wait(job_id)
        assert job["status"] == "succeeded", (job, stack.logs("planner")[-3000:])

        # the units that asked failed with what they asked for, at the first try, paid once
        asking = [number for number in range(ROWS) if number % ASKING == 0]
        listed = stack.get(f"/v1/jobs/{job_id}/subtasks?stage=answers&outcome=failed&limit=100")
        failed = listed.json["items"]
        assert [item["unit"] for item in failed] == asking
        for item in failed:
            assert item["error"]["code"] == "missing_context"
            assert f"the other rows of the same thread{item['unit']}" in item["error"]["detail"]
            assert item["attempt"] == 1
        first = [call for call in model.calls() if call.kind == "chat"][:ROWS]
        assert sorted(call.markers[0] for call in first) == [f"MARK-{n:05d}" for n in range(ROWS)]

        # though each said it in other words, it is one cluster, with advice
        [cluster] = stack.get(f"/v1/jobs/{job_id}/failures").json["items"]
        assert (cluster["code"], cluster["count"]) == ("missing_context", len(asking))
        assert "the other rows of the same thread" in cluster["sample"]
        assert "overlap" in cluster["suggestion"]

        # the planner of the second round was told, and its plan works on what was missing
        [planning] = [call for call in model.calls() if call.kind == "plan"]
        assert planning.request is not None
        told = planning.request["messages"][1]["content"]
        former = next(
            json.loads(line) for line in told.splitlines() if line.startswith('{"round":1')
        )
        [shown] = former["failures"]
        assert (shown["code"], shown["count"]) == ("missing_context", len(asking))
        assert "the other rows of the same thread" in shown["sample"]
        stages = {
            item["name"]: item for item in stack.get(f"/v1/jobs/{job_id}/stages").json["items"]
        }
        assert stages["after_missing_context"]["units"] == len(asking)
        assert sorted(row["id"] for row in stack.results(job_id)) == list(range(ROWS))
