"""Agents through the public door: tools, limits, transcripts, and nothing of another unit."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.fake_llm.answers import FORBIDDEN_TOOL
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

ROWS = 200
TOOLS = ["sql", "search_text", "fetch"]
LIMITS = {"max_steps": 4, "max_tool_calls": 5, "max_tokens": 20_000}
NEVER_ENDING, OUTSIDE, SILENT = 7, 11, 13
PAGE = "The opening hours are nine to five."
OUTPUT = {
    "type": "object",
    "properties": {"label": {"type": "string"}},
    "required": ["label"],
}
_SQL = 'TOOL:sql={"query":"SELECT count(*) AS n, max(text) AS text FROM unit"}'
_SEARCH = 'TOOL:search_text={"text":"printer"}'


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        body = PAGE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def page() -> Iterator[ThreadingHTTPServer]:
    """A page on loopback; `asked` holds the paths it was asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.asked = []  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    """The endpoint of all tests here."""
    with FakeModel(tmp_path_factory.mktemp("model")) as started:
        yield started


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], model: FakeModel) -> Stack:
    """Two workers that may fetch from loopback."""
    return make_module_stack(
        OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-test", APWA_MODEL="fake",
        APWA_ALLOW_NETWORKS="127.0.0.0/8",
        APWA_LEASE_S="30",  # calls are counted: a slow machine must not lose a lease
    ).start_all(workers=2)  # fmt: skip


def agent_plan(**params: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "brief": "Labels are short.",
        "stages": [
            {
                "name": "labels",
                "over": "tickets",
                "unit": {"rows": 1},
                "capability": "agent",
                "params": {"tools": TOOLS, **LIMITS, **params},
                "template": {"instructions": "Label the ticket.", "input": "{{ text }}"},
                "output": OUTPUT,
            }
        ],
        "result": {"table": "labels"},
    }


def row_text(number: int, url: str) -> str:
    """Return a ticket with a marker of its own and the tools its model will call."""
    said = f"The printer MARK-{number:05d} is out of paper."
    fetch = f'TOOL:fetch={{"url":"{url}/{number}"}}'
    if number == NEVER_ENDING:
        return f"{said} TOOL:never_ending"
    if number == OUTSIDE:
        return f"{said} TOOL:outside {_SEARCH}"
    if number == SILENT:
        return f"{said} TOOL:none"
    every = [_SEARCH, _SQL, fetch]
    if number % 20 == 0:
        return f"{said} {' '.join(every)}"
    return f"{said} {every[1] if number % 10 == 1 else every[2 * (number % 2)]}"


def tickets(url: str, count: int = ROWS) -> dict[str, Any]:
    rows = [{"id": number, "text": row_text(number, url)} for number in range(count)]
    return {"tickets": {"rows": rows, "key": "id"}}


def transcripts(stack: Stack, job_id: str) -> dict[int, dict[str, Any]]:
    """Return the record of each unit's attempt; nobody was tried twice."""
    kept = stack.rows(
        "SELECT a.unit, a.raw FROM attempts a JOIN stages s ON s.id = a.stage_id "
        "WHERE s.job_id = %s ORDER BY a.unit",
        job_id,
    )
    assert [unit for unit, _ in kept] == sorted({unit for unit, _ in kept})
    return {unit: json.loads(raw) for unit, raw in kept}


def uses(transcript: dict[str, Any]) -> list[tuple[str, str]]:
    """Return tool and ending of every call of a tool."""
    return [(use["tool"], use["ended"]) for step in transcript["steps"] for use in step["tools"]]


def test_two_hundred_agents_keep_to_their_tools_limits_and_rows(
    stack: Stack, model: FakeModel, page: ThreadingHTTPServer
) -> None:
    url = f"http://127.0.0.1:{page.server_port}"
    model.forget()
    job_id = stack.submit({"plan": agent_plan(), "inputs": tickets(url)})
    job = stack.wait(job_id, within=120)
    assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])

    # every answer validates, and tells what was looked at
    rows = {row["id"]: row for row in stack.results(job_id)}
    assert sorted(rows) == list(range(ROWS))
    assert all(f"MARK-{number:05d}" in row["label"] for number, row in rows.items())
    assert [source["tool"] for source in rows[20]["sources"]] == ["search_text", "sql", "fetch"]
    assert rows[20]["sources"][2]["what"] == f"{url}/20"
    assert rows[SILENT]["sources"] == []
    assert rows[OUTSIDE]["sources"] == [{"tool": "search_text", "what": "printer"}]

    # every transcript is there and within the limits
    kept = transcripts(stack, job_id)
    assert sorted(kept) == list(range(ROWS))
    for number, transcript in kept.items():
        steps = transcript["steps"]
        assert len(steps) <= LIMITS["max_steps"] + 1, number
        assert len(uses(transcript)) <= LIMITS["max_tool_calls"], number
        assert transcript["tokens"] <= LIMITS["max_tokens"], number
        told = sum(step["input_tokens"] + step["output_tokens"] for step in steps)
        assert told == transcript["tokens"]
    assert kept[NEVER_ENDING]["ending"] == "max_steps"
    assert len(kept[NEVER_ENDING]["steps"]) == LIMITS["max_steps"] + 1
    assert uses(kept[OUTSIDE]) == [(FORBIDDEN_TOOL, "refused"), ("search_text", "ok")]
    assert uses(kept[20]) == [("search_text", "ok"), ("sql", "ok"), ("fetch", "ok")]
    assert PAGE in kept[20]["steps"][2]["tools"][0]["result"]
    endings = Counter(transcript["ending"] for transcript in kept.values())
    assert endings == {"answered": ROWS - 1, "max_steps": 1}

    # the page was asked for by those rows that wished it, once each
    wished = {number for number in range(ROWS) if "TOOL:fetch" in row_text(number, url)}
    assert Counter(page.asked) == {f"/{number}": 1 for number in wished}  # type: ignore[attr-defined]

    # no request, with the tools' calls and results in it, holds two units' markers
    calls = model.calls()
    assert {len(call.markers) for call in calls} == {1}
    per_row = Counter(call.markers[0] for call in calls)
    assert per_row == {f"MARK-{number:05d}": len(kept[number]["steps"]) for number in range(ROWS)}
    assert job["usage"]["calls"] == len(calls)
    assert job["usage"]["input_tokens"] == sum(call.tokens_in for call in calls)


@pytest.mark.parametrize(
    ("reached", "limits"),
    [
        ("max_tool_calls", {"max_steps": 50, "max_tool_calls": 3}),
        ("max_tokens", {"max_steps": 50, "max_tool_calls": 50, "max_tokens": 12_000}),
        ("max_seconds", {"max_steps": 50, "max_tool_calls": 50, "max_seconds": 0.001}),
    ],
)
def test_at_each_limit_an_agent_has_to_answer(
    stack: Stack, reached: str, limits: dict[str, Any]
) -> None:
    rows = [{"id": 0, "text": "MARK-00000 TOOL:never_ending"}]
    plan = agent_plan(tools=["search_text"], **limits)
    job_id = stack.submit({"plan": plan, "inputs": {"tickets": {"rows": rows}}})
    job = stack.wait(job_id)
    assert job["status"] == "succeeded", job
    transcript = transcripts(stack, job_id)[0]
    assert transcript["ending"] == reached
    assert transcript["tokens"] <= limits.get("max_tokens", 60_000)
    assert len(uses(transcript)) <= limits["max_tool_calls"]
    assert transcript["steps"][-1]["tools"] == [], "the last call is the answer"


@pytest.mark.parametrize(
    ("tools", "calls_again"), [(["search_text", "fetch"], 2), (["search_text"], 0)]
)
def test_an_agent_that_may_fetch_is_never_reused_since_pages_change(
    stack: Stack, model: FakeModel, tools: list[str], calls_again: int
) -> None:
    row = {"id": 0, "text": f"The printer. {_SEARCH}"}
    body = {
        "plan": agent_plan(tools=tools),
        "inputs": {"tickets": {"rows": [row]}},
        "policy": {"reuse": "project"},
    }
    model.forget()
    assert stack.wait(stack.submit(body))["status"] == "succeeded"
    assert len(model.calls()) == 2, "one that searches, one that answers"
    model.forget()
    job = stack.wait(stack.submit(body))
    assert job["status"] == "succeeded"
    assert len(model.calls()) == calls_again
    assert job["usage"].get("cache_hits", 0) == (0 if calls_again else 1)
