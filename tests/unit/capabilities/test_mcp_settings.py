"""The setting of MCP servers, the names of their tools, and who may use them."""

import json
from typing import Any

import pytest

from shared.capabilities.builtin.agent import is_reusable_with
from shared.capabilities.mcp_servers import McpServer, mcp_servers_of
from shared.domain.mcp_tool import is_mcp_tool, permits, server_of, tool_name
from shared.settings import Settings, SettingsError, load_settings


def settings_with(servers: Any) -> Settings:
    text = servers if isinstance(servers, str) else json.dumps(servers)
    return load_settings({"APWA_MCP_SERVERS": text}, stores=False)


def test_servers_by_address_and_by_command() -> None:
    found = mcp_servers_of(
        settings_with(
            {
                "tickets": {"url": "https://t.example/mcp", "headers": {"Authorization": "x"}},
                "files": {"command": "files", "args": ["-r"], "read_only": True, "timeout_s": 5},
                "mixed": {"command": "m", "read_only": ["a"], "tools": ["a", "b"]},
            }
        )
    )
    assert found["tickets"].headers == {"Authorization": "x"}
    assert not found["tickets"].is_read_only("any")
    assert found["files"] == McpServer(
        "files", command="files", args=("-r",), read_only=None, timeout_s=5.0
    )
    assert found["files"].is_read_only("any")
    assert [found["mixed"].is_read_only(tool) for tool in ("a", "b")] == [True, False]
    assert found["mixed"].tools == {"a", "b"}


def test_no_setting_is_no_server() -> None:
    assert mcp_servers_of(settings_with("")) == {}


@pytest.mark.parametrize(
    ("servers", "told"),
    [
        ("{", "is not JSON"),
        ([], "must be a JSON object"),
        ({"a": 1}, "must be a JSON object"),
        ({"A_b": {"command": "x"}}, "a name must match"),
        ({"a": {}}, "Give `url` or `command`"),
        ({"a": {"url": "https://x", "command": "x"}}, "Give `url` or `command`"),
        ({"a": {"url": "ftp://x"}}, "url: Write an address"),
        ({"a": {"url": "https://x", "args": []}}, "args: This goes with the other"),
        ({"a": {"command": "x", "headers": {}}}, "headers: This goes with the other"),
        ({"a": {"command": "x", "read_only": "yes"}}, "read_only: Write true, false or"),
        ({"a": {"command": "x", "env": {"K": 1}}}, "env: holds something that is no text"),
        ({"a": {"command": "x", "comand": "y"}}, "comand: Unknown field"),
        ({"a": {"command": "x", "timeout_s": 0}}, "timeout_s"),
    ],
)
def test_what_is_wrong_with_the_setting_is_told(servers: Any, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        mcp_servers_of(settings_with(servers))


def test_no_problem_and_no_repr_shows_a_secret() -> None:
    secret = "hunter2-and-more"
    settings = settings_with({"a": {"url": "https://x", "headers": {"K": secret}, "timeout_s": 0}})
    with pytest.raises(SettingsError) as raised:
        mcp_servers_of(settings)
    assert secret not in str(raised.value) + repr(settings)
    assert secret not in repr(McpServer("a", headers={"K": secret}, env={"K": secret}))


def test_names_fit_what_models_can_call() -> None:
    assert tool_name("git-hub", "issues/create.v2") == "mcp__git-hub__issues_create_v2"
    assert tool_name("a", "x" * 56) == f"mcp__a__{'x' * 56}"
    assert tool_name("a", "x" * 57) is None
    assert server_of("mcp__git-hub__create__it") == "git-hub"
    assert is_mcp_tool("mcp__a__b")
    assert not is_mcp_tool("sql")


@pytest.mark.parametrize(
    ("allowed", "tool", "may"),
    [
        (None, "sql", True),
        (None, "mcp__a__b", False),
        (frozenset(), "sql", False),
        (frozenset({"mcp__a__b"}), "mcp__a__b", True),
        (frozenset({"mcp__a__b"}), "mcp__a__c", False),
    ],
)
def test_tools_of_mcp_servers_are_permitted_only_where_they_are_listed(
    allowed: frozenset[str] | None, tool: str, may: bool
) -> None:
    assert permits(allowed, tool) is may


def test_an_agent_with_such_a_tool_is_never_reused() -> None:
    assert not is_reusable_with(["search_text", "mcp__a__b"], {})
    assert is_reusable_with(["search_text"], {})
