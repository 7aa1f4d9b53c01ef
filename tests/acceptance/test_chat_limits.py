"""`chat` through the public door: the cap holds for bodies that set none, per line for others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.acceptance.model_work.test_model_work import stack_with
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

CAP = 20
PLAN = {
    "version": 1,
    "stages": [
        {
            "name": "answers",
            "over": "requests",
            "unit": {"rows": 1},
            "capability": "chat",
            "params": {"field": "body"},
        }
    ],
    "result": {"table": "answers"},
}


def body(text: str, **more: Any) -> str:
    return json.dumps({"model": "fake", "messages": [{"role": "user", "content": text}], **more})


def test_each_line_stays_within_the_cap_or_is_refused_alone(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with FakeModel(tmp_path, output_words=300) as model:
        stack = stack_with(make_stack, model, APWA_CHAT_MAX_OUTPUT_TOKENS=str(CAP))

        # given a line that sets no limit, one within it, one above it, and one for another model
        lines = [
            body("MARK-00000"),
            body("MARK-00001", max_tokens=5),
            body("MARK-00002", max_tokens=CAP + 1),
            body("MARK-00003", model="gpt-other"),
        ]
        rows = [{"id": number, "body": line} for number, line in enumerate(lines)]
        job_id = stack.submit({"plan": PLAN, "inputs": {"requests": {"rows": rows, "key": "id"}}})

        # then the first is cut at the cap, the second at its own, the others never sent
        job = stack.wait(job_id)
        assert job["status"] == "partial", (job, stack.logs("worker")[-3000:])
        results = stack.results(job_id)
        assert [row["id"] for row in results] == [0, 1]
        told = [row["body"] for row in results]
        assert [one["choices"][0]["finish_reason"] for one in told] == ["length", "length"]
        assert [one["usage"]["completion_tokens"] for one in told] == [CAP, 5]
        failed = stack.get(f"/v1/jobs/{job_id}/subtasks?outcome=failed").json["items"]
        assert [(one["unit"], one["error"]["code"]) for one in failed] == [
            (2, "too_many_tokens"),
            (3, "model_not_allowed"),
        ]
        sent = {marker for call in model.calls() for marker in call.markers}
        assert sent == {"MARK-00000", "MARK-00001"}
