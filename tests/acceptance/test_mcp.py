"""MCP both ways: agents with a server's tools, and APWA itself as a server for an agent."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from tests.acceptance.test_agents import OUTPUT, transcripts
from tests.acceptance.test_project_tools import operator
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.integration.api_door import REDACT_PLAN
from tests.stack import ROOT, Stack

LOOKUP, WRITE, CRASH = (f"mcp__notes__{tool}" for tool in ("lookup", "write", "crash"))


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server's tool `write` has written."""
    return tmp_path_factory.mktemp("notes") / "notes.jsonl"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("model")) as started:
        yield started


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], model: FakeModel, notes: Path) -> Stack:
    """One worker with an MCP server behind a pipe, and one that is never there."""
    server = {
        "command": sys.executable, "args": ["-m", "tests.mcp_notes"], "cwd": str(ROOT),
        "env": {"NOTES_FILE": str(notes)}, "read_only": ["lookup", "crash"],
        "tools": ["lookup", "write", "crash"],
    }  # fmt: skip
    gone = {"command": "/no/such/program"}
    made = make_module_stack(
        OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-test", APWA_MODEL="fake",
        APWA_MCP_SERVERS=json.dumps({"notes": server, "gone": gone}),
    ).start_all(workers=1)  # fmt: skip
    eventually(lambda: made.scalar("SELECT count(*) FROM mcp_tools") == 3, within=30)
    return made


def plan(*tools: str) -> dict[str, Any]:
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


def job(tools: list[str], *texts: str) -> dict[str, Any]:
    rows = [{"id": number, "text": text} for number, text in enumerate(texts)]
    return {"plan": plan(*tools), "inputs": {"tickets": {"rows": rows, "key": "id"}}}


def refusals(stack: Stack, body: dict[str, Any]) -> list[tuple[str, str]]:
    answer = stack.post("/v1/jobs", body)
    assert answer.status == 422, answer.body
    return [(one["code"], one["pointer"]) for one in answer.json["errors"]]


def uses(transcript: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return tool, ending and result of every call of a tool."""
    return [
        (use["tool"], use["ended"], use["result"])
        for step in transcript["steps"]
        for use in step["tools"]
    ]


def test_a_servers_tools_are_for_agents_whose_project_lists_them(
    stack: Stack, model: FakeModel
) -> None:
    body = job([LOOKUP, CRASH], f'MARK-00000 TOOL:{LOOKUP}={{"ticket":7}}')

    # a project without a list has every tool but these
    place = "/plan/stages/0/params/tools"
    not_allowed = [("tool_not_allowed", f"{place}/0"), ("tool_not_allowed", f"{place}/1")]
    assert refusals(stack, body) == not_allowed

    # one that lists them has them; what they answer is data, and where it came from is told
    told = operator(stack, "tools", "default", "--only", f"{LOOKUP},{CRASH},{WRITE}")
    assert told.returncode == 0, told.stderr
    model.forget()
    job_id = stack.submit(body)
    assert stack.wait(job_id)["status"] == "succeeded", stack.logs("worker")[-3000:]
    rows = stack.results(job_id)
    assert rows[0]["sources"] == [{"tool": LOOKUP, "what": '{"ticket":7}'}]
    kept = transcripts(stack, job_id)
    assert [use[:2] for use in uses(kept[0])] == [(LOOKUP, "ok")]
    assert "Ticket 7 is about a printer." in uses(kept[0])[0][2]

    assert len(model.calls()) == len(kept[0]["steps"]) == 2

    # a server that dies is the tool's error, and comes back for the next call
    crashing = f'MARK-00001 TOOL:{CRASH} TOOL:{LOOKUP}={{"ticket":8}}'
    job_id = stack.submit(job([LOOKUP, CRASH], crashing))
    assert stack.wait(job_id)["status"] == "succeeded"
    died, found = uses(transcripts(stack, job_id)[0])
    assert died[:2] == (CRASH, "error")
    assert "went away" in died[2]
    assert found[:2] == (LOOKUP, "ok")


def test_tools_that_act_outside_need_the_permission_and_an_approved_plan(
    stack: Stack, notes: Path
) -> None:
    stack.rows("UPDATE projects SET tools = %s", [LOOKUP, WRITE])
    texts = [f'MARK-0000{n} TOOL:{WRITE}={{"text":"note {n}"}}' for n in range(3)]
    body = job([WRITE], *texts)
    refused = [("external_not_permitted", "/plan/stages/0/params/tools/0")]
    assert refusals(stack, body) == refused

    stack.rows("UPDATE projects SET allow_external = true")
    job_id = stack.submit(body)
    path = f"/v1/jobs/{job_id}"
    eventually(lambda: stack.get(path).json["status"] == "awaiting_approval", within=30)
    assert not notes.exists()
    tag = stack.get(f"{path}/plan").headers["ETag"]
    approved = stack.request("POST", f"{path}/plan/approve", headers={"If-Match": tag})
    assert approved.status == 202

    assert stack.wait(job_id)["status"] == "succeeded"
    written = [json.loads(line) for line in notes.read_text().splitlines()]
    assert sorted(one["text"] for one in written) == [f"note {n}" for n in range(3)]
    assert len({one["key"] for one in written}) == 3
    assert all(one["key"] for one in written)


def served(stack: Stack, work: Callable[[Client], Awaitable[None]]) -> None:
    """Run `work` with a client of `apwa mcp`, as a program that was given address and key."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "services.cli", "mcp"],
        cwd=str(ROOT),
        env={
            "APWA_API_URL": f"http://127.0.0.1:{stack.api_port}",
            "APWA_API_KEY": stack.key,
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        },
    )

    async def run() -> None:
        async with Client(server) as client:
            await work(client)

    asyncio.run(run())


async def ask(client: Client, tool: str, **arguments: Any) -> Any:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return answer.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    return str(answer.content[0].text)  # type: ignore[union-attr]


def test_an_agent_submits_waits_and_reads_through_apwas_own_server(stack: Stack) -> None:
    rows = [{"id": n, "text": f"mail a{n}@example.com " + "x" * 3_000} for n in range(25)]
    inputs = {"tickets": {"rows": rows, "key": "id"}}
    made = stack.post("/v1/workflows", {"name": "redact", "plan": REDACT_PLAN})
    assert made.status == 201, made.body

    async def work(client: Client) -> None:
        listed = (await client.list_tools()).tools
        assert sorted(tool.name for tool in listed) == [
            "cancel_job", "estimate_job", "get_failures", "get_job", "list_capabilities",
            "list_results", "submit_job", "wait_job",
        ]  # fmt: skip
        assert all(tool.output_schema for tool in listed)

        offered = await ask(client, "list_capabilities")
        assert "redact" in [one["name"] for one in offered["items"]]
        estimated = await ask(client, "estimate_job", plan=REDACT_PLAN, inputs=inputs)
        assert estimated["price"]["total"]["units"]["expected"] == 25

        job = await ask(
            client, "submit_job", workflow="redact", inputs=inputs, options={"labels": {"by": "me"}}
        )
        assert job["workflow"]["name"] == "redact"
        assert job["labels"] == {"by": "me"}
        job = await ask(client, "wait_job", job_id=job["id"], timeout_s=60)
        assert (job["status"], job["is_final"]) == ("succeeded", True)

        ids, cursor = [], None
        while True:
            page = await ask(client, "list_results", job_id=job["id"], limit=10, cursor=cursor)
            ids += [row["id"] for row in page["items"]]
            assert all(len(row["text"]) < 2_100 for row in page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert ids == list(range(25))
        assert (await ask(client, "get_failures", job_id=job["id"]))["items"] == []

        # what the API refuses is said with its code and where it is
        told = await refusal(client, "cancel_job", job_id=job["id"])
        assert "409 wrong_state: " in told
        told = await refusal(client, "submit_job", plan={"version": 1})
        assert "422 plan_invalid: " in told
        assert "/plan/stages" in told
        unknown = f"job_{'0' * 26}"
        told = await refusal(client, "get_job", job_id=unknown)
        assert "404 not_found: " in told
        assert "pattern" in await refusal(client, "get_job", job_id="../keys")

    served(stack, work)
