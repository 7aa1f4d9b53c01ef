"""The agent's tools, each by itself: what they return, and what they refuse."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from services.worker.capabilities.agent_capability import installed_tools, is_tool
from services.worker.capabilities.agent_fetch import fetch_tool
from services.worker.capabilities.agent_search import MOST_MATCHES, search
from services.worker.capabilities.agent_tool import ToolUnavailable
from services.worker.capabilities.agent_toolbox import Toolbox, toolbox
from services.worker.capabilities.agent_transcript import ToolUse
from services.worker.capabilities.fetch_page import FetchLimits
from shared.capabilities import builtin
from shared.capabilities.contract import Context, Unit
from shared.domain.model_call import ToolCall
from shared.net.addresses import parse_networks
from shared.net.guard import Guard
from tests.unit.net.local_server import answer, serving

UNIT = Unit(
    0,
    [
        {"id": 1, "text": "Straße and CAT", "tags": ["a", "b"], "when": "2024-01-02"},
        {"id": 2, "text": None, "tags": [], "when": None},
    ],
)


def use(box: Toolbox, name: str, **arguments: Any) -> ToolUse:
    return asyncio.run(box.use(ToolCall("id", name, json.dumps(arguments))))


def test_sql_answers_over_the_rows_of_the_unit() -> None:
    query = 'SELECT count(*) AS n, max("when") AS latest, count(text) AS texts FROM unit'

    used = use(toolbox(["sql"], UNIT), "sql", query=query)

    assert json.loads(used.result) == [{"n": 2, "latest": "2024-01-02", "texts": 1}]
    assert (used.ended, used.what) == ("ok", query)


def test_sql_tells_its_columns_to_the_model() -> None:
    (definition,) = toolbox(["sql"], UNIT).definitions

    assert "unit(id integer, text string, tags json" in definition["function"]["description"]


def test_a_wrong_query_is_told_with_its_code() -> None:
    used = use(toolbox(["sql"], UNIT), "sql", query="SELECT nothing FROM unit")

    assert used.ended == "error"
    assert used.result.startswith("sql_invalid: ")


def test_a_query_of_too_many_rows_is_an_error_and_not_a_flood() -> None:
    used = use(toolbox(["sql"], UNIT), "sql", query="SELECT * FROM range(201)")

    assert used.ended == "error"
    assert used.result.startswith("output_too_large: ")


def test_search_ignores_case_and_shows_where() -> None:
    found = search(UNIT, "cat")

    assert found == {
        "places": 1,
        "shown": [{"row": 1, "column": "text", "excerpt": "Straße and CAT"}],
    }


def test_search_takes_a_text_and_no_pattern() -> None:
    unit = Unit(0, [{"text": "a.c abc (a+)+$"}])

    assert [search(unit, needle)["places"] for needle in ("a.c", "(a+)+$", ".*")] == [1, 1, 0]


def test_search_shows_the_first_places_and_counts_the_rest() -> None:
    found = search(Unit(0, [{"text": "cat " * 50}]), "CAT")

    assert (found["places"], len(found["shown"])) == (50, MOST_MATCHES)


def test_search_looks_into_nested_values_but_not_into_neighbours() -> None:
    unit = Unit(0, [{"tags": ["secret"]}], before=[{"tags": ["other"]}], after=[{"tags": "other"}])

    assert (search(unit, "SECRET")["places"], search(unit, "other")["places"]) == (1, 0)


def test_fetch_returns_the_text_of_a_page() -> None:
    async def scene() -> ToolUse:
        async with serving({"/": answer(b"<title>T</title><p>Hello there.</p>")}) as server:
            limits = FetchLimits(Guard(parse_networks("127.0.0.0/8")), 100_000, 10.0)
            box = Toolbox({"fetch": fetch_tool(limits)})
            return await box.use(ToolCall("id", "fetch", json.dumps({"url": server.url})))

    used = asyncio.run(scene())

    page = json.loads(used.result)
    assert (page["title"], page["status"]) == ("T", 200)
    assert "Hello there." in page["text"]
    assert used.what.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://169.254.169.254/", "file:///etc"])
def test_fetch_refuses_what_is_not_public(url: str) -> None:
    used = use(toolbox(["fetch"], UNIT), "fetch", url=url)

    assert used.ended == "error"
    assert used.result.startswith("address_not_allowed: ")


def test_a_capability_runs_on_a_row_the_model_wrote() -> None:
    used = use(
        toolbox(["redact"], UNIT), "redact",
        row={"text": "Write to a@example.com."}, params={"field": "text"},
    )  # fmt: skip

    assert json.loads(used.result)["text"] == "Write to [EMAIL_1]."


def test_params_of_a_capability_are_checked_before_it_runs() -> None:
    box = toolbox(["extract"], UNIT)

    missing = use(box, "extract", row={"text": "x"}, params={"field": "text"})
    unsound = use(
        box, "extract", row={"text": "x"}, params={"field": "text", "patterns": {"a": "("}}
    )

    assert [missing.ended, unsound.ended] == ["error", "error"]
    assert "params" in unsound.result


def test_a_row_without_the_column_is_an_error_and_no_crash() -> None:
    row: dict[str, Any] = {}

    used = use(toolbox(["split"], UNIT), "split", row=row, params={"field": "t", "by": "sentence"})

    assert used.ended in {"ok", "error"}


class Stranger(SimpleNamespace):
    """A capability as a package outside would bring it."""

    name, version, description = "stranger", "1", "Does things."
    params: ClassVar = {"type": "object", "properties": {}, "additionalProperties": False}
    units, queue, runs, effects = ("rows",), "cpu", "loop", "none"
    output: ClassVar = {"type": "object"}

    async def run(self, unit: Unit, context: Context) -> Any:
        raise self.error


def test_what_a_strangers_capability_raises_is_an_answer() -> None:
    box = toolbox(["stranger"], UNIT, {"stranger": Stranger(error=ZeroDivisionError("by me"))})

    used = use(box, "stranger", row={}, params={})

    assert (used.ended, used.result) == ("error", "ZeroDivisionError: by me")


@pytest.mark.parametrize(
    "facts",
    [{"queue": "model"}, {"effects": "external"}, {"units": ("table",)}, {"reads": "tables"}],
)
def test_only_a_deterministic_and_harmless_capability_is_a_tool(facts: dict[str, Any]) -> None:
    assert is_tool(Stranger())
    assert not is_tool(Stranger(**facts))


def test_no_model_runs_as_a_tool() -> None:
    assert {"redact", "extract", "split", "summarize"} <= set(installed_tools())
    assert not {"llm", "agent", "chat", "fetch", "sql"} & set(installed_tools())


@pytest.mark.parametrize("name", ["agent", "llm", "chat", "nothing"])
def test_a_listed_tool_that_is_not_here_ends_the_unit(name: str) -> None:
    with pytest.raises(ToolUnavailable) as failure:
        toolbox([name], UNIT)

    assert failure.value.code == "tool_unavailable"


def test_a_plan_that_lists_a_model_as_a_tool_is_found() -> None:
    ((pointer, sentence),) = builtin.check_params("agent", {"tools": ["sql", "llm"]})

    assert pointer == "/tools/1"
    assert "`llm`" in sentence
