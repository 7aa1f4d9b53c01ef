"""What MCP servers list and answer, before a model sees any of it."""

from types import SimpleNamespace
from typing import Any

import pytest

from services.worker.mcp.answers import MOST_CHARS, answer_value, error_text
from services.worker.mcp.offered import MOST_TOOLS, listing
from shared.capabilities.mcp_servers import McpServer

SERVER = McpServer("a", command="x", read_only=frozenset({"look"}))
OBJECT = {"type": "object"}


def text(value: str) -> Any:
    return SimpleNamespace(type="text", text=value)


def answered(*content: Any, structured: Any = None, is_error: bool = False) -> Any:
    return SimpleNamespace(content=content, structured_content=structured, is_error=is_error)


def test_tools_get_our_names_and_what_the_operator_says_of_them() -> None:
    found = listing(SERVER, [("look", "Looks.", OBJECT), ("write", "W\0rites", OBJECT)])
    assert found.problems == ()
    assert found.tools["mcp__a__look"].read_only
    assert not found.tools["mcp__a__write"].read_only
    assert found.tools["mcp__a__write"].description == "Writes"


def test_only_the_tools_the_operator_names_are_offered() -> None:
    server = McpServer("a", command="x", tools=frozenset({"look"}))
    assert list(listing(server, [("look", "", OBJECT), ("write", "", OBJECT)]).tools) == [
        "mcp__a__look"
    ]


@pytest.mark.parametrize(
    ("tool", "schema", "told"),
    [
        ("x" * 60, OBJECT, "more than 64 characters"),
        ("t", {"type": "string"}, "no object"),
        ("t", None, "no object"),
        ("t", {"type": "object", "properties": {"a": {"type": "nonsense"}}}, "not valid"),
        ("t", {"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}, "another document"),
        ("t", {"type": "object", "description": "x" * 20_001}, "more than 20000 bytes"),
    ],
)
def test_a_tool_no_model_could_be_told_of_is_left_out_and_said_so(
    tool: str, schema: Any, told: str
) -> None:
    found = listing(SERVER, [(tool, "", schema), ("look", "", OBJECT)])
    assert list(found.tools) == ["mcp__a__look"]
    assert told in found.problems[0]


def test_two_tools_never_share_a_name_and_their_number_is_bounded() -> None:
    found = listing(SERVER, [("a.b", "", OBJECT), ("a/b", "", OBJECT)])
    assert list(found.tools) == ["mcp__a__a_b"]
    assert "another tool" in found.problems[0]
    many = listing(SERVER, [(f"t{number}", "", OBJECT) for number in range(MOST_TOOLS + 1)])
    assert len(many.tools) == MOST_TOOLS
    assert len(many.problems) == 1


def test_structure_wins_over_text_and_other_contents_are_named() -> None:
    assert answer_value(answered(text("x"), structured={"n": 1})) == {"n": 1}
    image = SimpleNamespace(type="image", mime_type="image/png", data="AAAA")
    link = SimpleNamespace(type="resource_link", uri="file:///a")
    inside = SimpleNamespace(type="resource", resource=SimpleNamespace(text="inside"))
    shown = answer_value(answered(text("a"), image, link, inside))
    assert shown == "a\n[image/png, not shown]\n[link to file:///a]\ninside"


def test_texts_are_cut_before_they_fill_the_memory() -> None:
    blocks = [text("x" * MOST_CHARS), text("never seen")]
    assert answer_value(answered(*blocks)) == "x" * MOST_CHARS


def test_a_failed_tool_tells_why_or_that_it_does_not() -> None:
    assert error_text(answered(text("locked"), is_error=True)) == "locked"
    assert error_text(answered(is_error=True)) == "it failed and does not say why"
    assert error_text(answered(text("fine"))) is None
