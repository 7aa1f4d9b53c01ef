"""`apwa models probe` finds out what aimock can do, and jobs go by what it found."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.aimock.fixtures import calls, fails, says
from tests.aimock.jobs import answer, marker, one_stage, tickets
from tests.aimock.server import KEY, Aimock
from tests.stack import ROOT, Stack

ABLE = [
    says("Hello.", userMessage="Say hello."),
    says({"zx_colour": "teal-17"}, userMessage="Describe the sea", responseFormat="json_schema"),
    says({"sea": "wide"}, userMessage="Describe the sea", responseFormat="json_object"),
    calls("note_word", {"word": "blue"}, "call_1", toolName="note_word"),
    says("Red.", userMessage="Which colour"),
]
FOUND = {
    "json_schema": True, "json_object": True, "tools": True, "images": True, "usage": True,
    "limit_headers": False, "temperature": True, "output_limit": "max_tokens",
}  # fmt: skip


def probed(stack: Stack, **extra: str) -> tuple[int, dict[str, Any]]:
    """Run `apwa models probe default`; return its exit code and what it says of the endpoint."""
    command = [sys.executable, "-m", "services.cli", "models", "probe", "default", "--json"]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **stack.environ, **extra}, capture_output=True,
        text=True, timeout=180, check=False,
    )  # fmt: skip
    assert KEY not in ended.stdout + ended.stderr
    [told] = json.loads(ended.stdout)["endpoints"]
    return ended.returncode, told


def test_what_it_can_do_is_found_and_stored(stack: Stack, aimock: Aimock) -> None:
    aimock.add(*ABLE)
    code, told = probed(stack)
    assert (code, told["stored"], told["abilities"]) == (0, True, FOUND)
    assert told["calls"] == len(aimock.seen()) == 6


def test_newer_models_names_of_the_limit_are_found(stack: Stack, aimock: Aimock) -> None:
    # given a server that refuses the first request, as newer models do `max_tokens`
    aimock.add(*ABLE)
    aimock.fail_next(400, message="Unsupported parameter: 'max_tokens'", type="invalid_request")
    code, told = probed(stack)
    assert (code, told["abilities"]) == (0, {**FOUND, "output_limit": "max_completion_tokens"})
    assert ["max_tokens" in one.body for one in aimock.seen()] == [True] + [False] * 6


def test_a_server_that_passes_over_schemas_is_found_out_and_asked_otherwise(
    stack: Stack, aimock: Aimock
) -> None:
    # given a server that takes a schema and answers what it likes, has no tools and sees nothing
    aimock.add(
        fails(400, {"message": "tools are not supported"}, toolName="note_word"),
        says("A square.", userMessage="Which colour"),
        says({"sea": "wide"}, userMessage="Describe the sea"),
        ABLE[0],
    )

    # when
    code, told = probed(stack)

    # then
    able = {**FOUND, "json_schema": False, "tools": False, "images": False}
    assert (code, told["abilities"]) == (0, able)

    # when a worker begins that knows of it
    stack.kill("worker")
    stack.kill("worker")
    stack.start("worker")
    aimock.reset()
    aimock.add(*(says(answer(number), userMessage=marker(number)) for number in range(20)))
    job = stack.wait(stack.submit({"plan": one_stage(), "inputs": tickets(20)}))

    # then
    assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
    asked = [one.body["response_format"] for one in aimock.seen()]
    assert asked == [{"type": "json_object"}] * 20


def test_a_wrong_key_is_told_and_nothing_is_stored(stack: Stack, aimock: Aimock) -> None:
    before = stack.rows("SELECT * FROM model_endpoints")
    code, told = probed(stack, OPENAI_API_KEY="sk-of-somebody-else")
    assert code != 0
    assert told["error"] == {"code": "permanent", "detail": "HTTP 401: Invalid API key"}
    assert stack.rows("SELECT * FROM model_endpoints") == before
