"""A project's list of tools: refused at the door, and by the worker where it changed later."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.model_work.test_model_work import OUTPUT, stack_with, tickets
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import ROOT, Stack


def agent_plan(*tools: str) -> dict[str, Any]:
    stage = {
        "name": "labels",
        "over": "tickets",
        "unit": {"rows": 1},
        "capability": "agent",
        "params": {"tools": list(tools)},
        "template": {"instructions": "Label the ticket.", "input": "{{ text }}"},
        "output": OUTPUT,
    }
    return {"version": 1, "stages": [stage], "result": {"table": "labels"}}


def operator(stack: Stack, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run `apwa projects ...` against the stack's database."""
    return subprocess.run(
        [sys.executable, "-m", "services.cli", "projects", *words],
        cwd=ROOT,
        env={**os.environ, **stack.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with FakeModel(tmp_path_factory.mktemp("model")) as started:
        yield started


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], model: FakeModel) -> Stack:
    return stack_with(make_module_stack, model)


def test_a_tool_the_project_does_not_list_is_refused_at_the_door(stack: Stack) -> None:
    # given a project that allows one tool
    told = operator(stack, "tools", "default", "--only", "search_text", "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["tools"] == ["search_text"]

    # when a plan lists another as well
    body = {"plan": agent_plan("search_text", "sql"), "inputs": tickets(2)}
    answer = stack.post("/v1/jobs", body)

    # then it is refused at that tool, and fine without it
    assert answer.status == 422
    [problem] = answer.json["errors"]
    assert problem["code"] == "tool_not_allowed"
    assert problem["pointer"] == "/plan/stages/0/params/tools/1"
    job_id = stack.submit({"plan": agent_plan("search_text"), "inputs": tickets(2)})
    assert stack.wait(job_id)["status"] == "succeeded"

    # and allowed again with the whole list
    assert operator(stack, "tools", "--all").stdout.strip() == "default: tools all"
    assert stack.post("/v1/jobs", body).status == 202


def test_a_tool_forbidden_after_the_plan_was_shown_is_refused_by_the_worker(
    stack: Stack, model: FakeModel
) -> None:
    # given a plan that was sound when it was shown
    assert operator(stack, "tools", "--all").returncode == 0
    job_id = stack.submit(
        {"plan": agent_plan("sql"), "inputs": tickets(3, "MARK-{0:05d}"), "approval": "plan"}
    )
    path = f"/v1/jobs/{job_id}"
    eventually(lambda: stack.get(path).json["status"] == "awaiting_approval", within=30)
    model.forget()

    # when no tool is allowed any more, and the plan is approved
    assert operator(stack, "tools", "--none").returncode == 0
    tag = stack.get(f"{path}/plan").headers["ETag"]
    answer = stack.request("POST", f"{path}/plan/approve", headers={"If-Match": tag})
    assert answer.status == 202

    # then its units fail with that code, and no model was asked
    job = stack.wait(job_id)
    assert job["status"] == "failed"
    failed = stack.get(f"{path}/subtasks?outcome=failed").json["items"]
    assert [one["error"]["code"] for one in failed] == ["tool_not_allowed"] * 3
    assert "`sql`" in failed[0]["error"]["detail"]
    assert model.calls() == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("tools", "default", "--only", "serch_text"), "Did you mean `search_text`?"),
        (("tools", "nobody", "--all"), "no such project"),
        (("tools", "default", "--all", "--none"), "one of --only, --all and --none"),
    ],
)
def test_what_the_operator_misspells_is_told_and_changes_nothing(
    stack: Stack, words: tuple[str, ...], told: str
) -> None:
    before = operator(stack, "list", "--json").stdout

    ended = operator(stack, *words)

    assert ended.returncode == 2
    assert told in ended.stderr
    assert operator(stack, "list", "--json").stdout == before
