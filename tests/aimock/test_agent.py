"""`agent` against aimock: tools are called and answered in a conversation aimock can follow."""

from typing import Any

from tests.aimock.fixtures import calls, says
from tests.aimock.jobs import answer, marker, one_stage, tickets
from tests.aimock.server import Aimock
from tests.stack import Stack

ROWS = 12
OUTSIDE, ENDLESS = 3, 5  # rows whose model wants a tool it was not given, or never ends
PLAN = one_stage("agent", params={"tools": ["sql"], "max_steps": 3})
QUERY = {"query": "SELECT length(text) AS chars FROM unit"}


def fixtures() -> list[dict[str, Any]]:
    """Each row: a call of a tool, and an answer to whoever gives the result under the call's id."""
    made = [
        says(answer(ENDLESS), userMessage="No more tools", responseFormat="json_schema"),
        calls("sql", QUERY, "again", userMessage=marker(ENDLESS), toolName="sql"),
        calls("fetch", {"url": "http://127.0.0.1/"}, "outside", userMessage=marker(OUTSIDE),
              toolName="sql", hasToolResult=False),
        says(answer(OUTSIDE), toolCallId="outside", toolResultContains="refused"),
    ]  # fmt: skip
    for number in range(ROWS):
        call_id = f"look_{number}"
        made += [
            says(answer(number), toolCallId=call_id, toolResultContains='"chars"'),
            calls("sql", QUERY, call_id, userMessage=marker(number), toolName="sql",
                  hasToolResult=False),
        ]  # fmt: skip
    return made


def test_every_row_uses_its_tool_and_answers(stack: Stack, aimock: Aimock) -> None:
    # when
    aimock.add(*fixtures())
    job = stack.wait(stack.submit({"plan": PLAN, "inputs": tickets(ROWS)}))

    # then all rows have their answers, and the sources the worker saw
    assert job["status"] == "succeeded", (job, stack.logs("worker")[-3000:])
    rows = {row["id"]: row for row in stack.results(job["id"])}
    looked = [{"tool": "sql", "what": QUERY["query"]}]
    for number in range(ROWS):
        sources = [] if number == OUTSIDE else looked
        assert rows[number] == {"id": number, **answer(number), "sources": sources}

    # and each call was made as often as it had to be, with nothing of another row in it
    seen = aimock.seen()
    assert {one.status for one in seen} == {200}
    named = [
        {number for number in range(ROWS) if marker(number) in str(one.body["messages"])}
        for one in seen
    ]
    times = [named.count({number}) for number in range(ROWS)]
    assert times == [4 if number == ENDLESS else 2 for number in range(ROWS)]
    assert len(seen) == sum(times) == job["usage"]["calls"]
