"""Connections to MCP servers: a real one behind a pipe and behind HTTP, that fails in every way."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvloop

from services.cli.embedded.ports import choose_port
from services.worker.capabilities.agent_mcp import mcp_tools
from services.worker.capabilities.agent_tool import Tool, ToolUnavailable
from services.worker.capabilities.agent_toolbox import RESULT_CHARS, Toolbox
from services.worker.capabilities.agent_transcript import ToolUse
from services.worker.mcp.connection import MOST_TIMEOUTS
from services.worker.mcp.servers import McpServers
from shared.capabilities.mcp_servers import McpServer
from shared.domain.model_call import ToolCall
from tests.eventually import eventually
from tests.stack import ROOT

COMMAND = {"command": sys.executable, "args": ("-m", "tests.mcp_notes"), "cwd": str(ROOT)}
Work = Callable[[McpServers, dict[str, Tool]], Awaitable[None]]


def with_tools(server: McpServer, names: list[str], work: Work) -> None:
    """Run `work` on the tools of one server, on a loop as workers have it."""

    async def run() -> None:
        servers = McpServers({server.name: server})
        try:
            await work(servers, await mcp_tools(names, "unit", servers))
        finally:
            await servers.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def use(tool: Tool, arguments: str) -> Awaitable[ToolUse]:
    return Toolbox({tool.name: tool}).use(ToolCall("1", tool.name, arguments))


def test_a_server_behind_a_pipe_answers_and_sees_nothing_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-others")
    notes = tmp_path / "notes"
    server = McpServer("notes", **COMMAND, env={"NOTES_FILE": str(notes)})
    names = [f"mcp__notes__{tool}" for tool in ("lookup", "environment", "fail", "large", "write")]

    async def work(_: McpServers, tools: dict[str, Tool]) -> None:
        found = await use(tools["mcp__notes__lookup"], '{"ticket": 3}')
        assert found.ended == "ok"
        assert found.result == '{"ticket":3,"note":"Ticket 3 is about a printer."}'
        assert found.what == '{"ticket":3}'

        wrong = await use(tools["mcp__notes__lookup"], '{"ticket": "three"}')
        assert (wrong.ended, wrong.result) == ("error", "'three' is not of type 'integer'")

        seen = (await use(tools["mcp__notes__environment"], "{}")).result
        assert "NOTES_FILE" in seen
        assert "OPENAI" not in seen
        assert "APWA" not in seen

        failed = await use(tools["mcp__notes__fail"], "{}")
        assert failed.ended == "error"

        large = await use(tools["mcp__notes__large"], '{"chars": 1000000}')
        assert large.ended == "ok"
        assert len(large.result) < RESULT_CHARS + 100

        for text in ("a", "a", "b"):
            await use(tools["mcp__notes__write"], f'{{"text": "{text}"}}')

    with_tools(server, names, work)
    first = notes.read_text()

    # a later attempt of the same unit makes the same calls under the same keys
    with_tools(server, names, _write_three_times)
    assert notes.read_text() == first * 2
    keys = [line.split('"key": ')[1] for line in first.splitlines()]
    assert len(set(keys)) == 3


async def _write_three_times(_: McpServers, tools: dict[str, Tool]) -> None:
    for text in ("a", "a", "b"):
        await use(tools["mcp__notes__write"], f'{{"text": "{text}"}}')


def test_a_server_that_dies_or_hangs_is_an_error_of_the_tool_and_comes_back() -> None:
    server = McpServer("notes", **COMMAND, timeout_s=0.5)
    names = [f"mcp__notes__{tool}" for tool in ("lookup", "crash", "slow")]

    async def work(servers: McpServers, tools: dict[str, Tool]) -> None:
        crashed = await use(tools["mcp__notes__crash"], "{}")
        assert crashed.ended == "error"
        assert "went away" in crashed.result
        assert (await use(tools["mcp__notes__lookup"], '{"ticket": 1}')).ended == "ok"

        # one that is there but deaf is opened anew
        for _ in range(MOST_TIMEOUTS):
            late = await use(tools["mcp__notes__slow"], '{"seconds": 30}')
            assert late.result == "timeout: it took longer than 0.5 s"
        assert (await use(tools["mcp__notes__lookup"], '{"ticket": 1}')).ended == "ok"
        for name in ("mcp__notes__nothing", "mcp__nobody__lookup"):
            with pytest.raises(ToolUnavailable):
                await mcp_tools([name], "unit", servers)

    with_tools(server, names, work)


def test_a_server_that_never_comes_up_leaves_its_tools_as_names_that_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.worker.mcp.connection.WAIT_S", 0.2)
    server = McpServer("gone", command="/no/such/program")

    async def work(_: McpServers, tools: dict[str, Tool]) -> None:
        failed = await use(tools["mcp__gone__any"], '{"a": 1}')
        assert failed.ended == "error"
        assert "does not answer" in failed.result

    with_tools(server, ["mcp__gone__any"], work)


@pytest.fixture
def http_server(tmp_path: Path) -> Iterator[Callable[[], tuple[str, Any]]]:
    """A function that starts the same server behind HTTP, again at the same address."""
    port, running = choose_port(None), []
    url = f"http://127.0.0.1:{port}/mcp"

    def start() -> tuple[str, Any]:
        log = (tmp_path / "http.log").open("ab")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.mcp_notes", str(port)],
                cwd=ROOT, env={**os.environ, "NOTES_FILE": os.devnull}, stdout=log, stderr=log,
            )  # fmt: skip
        running.append(process)
        eventually(lambda: _answers(url), within=30)
        return url, process

    yield start
    for process in running:
        process.kill()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=1, trust_env=False).status_code < 500
    except httpx2.HTTPError:
        return False


def test_a_server_behind_http_answers_and_may_be_restarted(
    http_server: Callable[[], tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.worker.mcp.transport.ANSWER_BYTES", 100_000)
    url, process = http_server()
    names = ["mcp__notes__lookup", "mcp__notes__large"]

    async def work(_: McpServers, tools: dict[str, Tool]) -> None:
        assert (await use(tools["mcp__notes__lookup"], '{"ticket": 2}')).ended == "ok"

        too_much = await use(tools["mcp__notes__large"], '{"chars": 100000}')
        assert too_much.ended == "error", too_much.result[:100]
        assert (await use(tools["mcp__notes__large"], '{"chars": 10000}')).ended == "ok"

        process.kill()
        process.wait(10)
        assert (await use(tools["mcp__notes__lookup"], '{"ticket": 2}')).ended == "error"
        await asyncio.to_thread(http_server)
        async with asyncio.timeout(30):
            while (await use(tools["mcp__notes__lookup"], '{"ticket": 2}')).ended != "ok":
                await asyncio.sleep(0.05)

    with_tools(McpServer("notes", url=url, timeout_s=10), names, work)
