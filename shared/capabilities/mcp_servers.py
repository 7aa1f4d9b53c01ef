"""The MCP servers the operator configured, read from the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from shared.domain.mcp_tool import SERVER_NAME
from shared.settings import Settings, SettingsError, env_name


@dataclass(frozen=True, slots=True)
class McpServer:
    """A server behind an address (streamable HTTP), or a command that speaks on stdin and stdout.

    `read_only` are the tools, by the server's names, that change nothing outside; None: all of
    them. `tools` are those that are offered; None: all. What may hold secrets is never shown.
    """

    name: str
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    command: str = ""
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    read_only: frozenset[str] | None = frozenset()
    tools: frozenset[str] | None = None
    timeout_s: float = 30.0
    max_calls: int = 8  # at once, from one worker process

    def is_read_only(self, tool: str) -> bool:
        """Return True when the operator says that the tool changes nothing outside."""
        return self.read_only is None or tool in self.read_only


def mcp_servers_of(settings: Settings) -> dict[str, McpServer]:
    """Return the configured servers by name. Raises SettingsError with every problem at once."""
    setting = env_name("mcp_servers")
    if not settings.mcp_servers:
        return {}
    try:
        given = orjson.loads(settings.mcp_servers)
    except orjson.JSONDecodeError as error:
        told = f"{setting}: is not JSON (line {error.lineno}, column {error.colno})"
        raise SettingsError([told]) from None
    if not isinstance(given, dict):
        raise SettingsError([f"{setting}: must be a JSON object, one server by each name"])
    found, problems = {}, []
    for name, form in given.items():
        values, wrong = _values(name, form)
        problems += [f"{setting}: {name!r}: {text}" for text in wrong]
        if not wrong:
            found[name] = McpServer(name=name, **values)
    if problems:
        raise SettingsError(problems)
    return found


class _Names(fields.Field[Any]):
    """true (all), false (none) or a list of names; comes out as None or a set."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> frozenset[str] | None:
        if value is True or value is False:
            return None if value else frozenset()
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return frozenset(value)
        raise ValidationError("Write true, false or a list of the server's tools.")


class _ServerForm(Schema):
    url = fields.String(validate=validate.Regexp(r"https?://[^\s/]+", error="Write an address."))
    headers = fields.Dict(keys=fields.String(), values=fields.String())
    command = fields.String(validate=validate.Length(1))
    args = fields.List(fields.String())
    env = fields.Dict(keys=fields.String(), values=fields.String())
    cwd = fields.String()
    read_only = _Names()
    tools = fields.List(fields.String(), validate=validate.Length(1))
    timeout_s = fields.Float(validate=validate.Range(0.1, 3_600))
    max_calls = fields.Integer(strict=True, validate=validate.Range(1, 1_000))

    @validates_schema
    def _one_way(self, data: dict[str, Any], **_: Any) -> None:
        if ("url" in data) == ("command" in data):
            raise ValidationError("Give `url` or `command`.")
        wrong = ("args", "env", "cwd") if "url" in data else ("headers",)
        for name in wrong:
            if name in data:
                raise ValidationError("This goes with the other kind of server.", name)


def _values(name: str, form: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the fields of one server; no problem repeats a value, which may be a secret."""
    wrong = [] if SERVER_NAME.fullmatch(name) else [f"a name must match {SERVER_NAME.pattern}"]
    if not isinstance(form, dict):
        return {}, [*wrong, "must be a JSON object"]
    try:
        values: dict[str, Any] = _ServerForm().load(form)
    except ValidationError as error:
        messages = cast("dict[str, Any]", error.messages)
        return {}, [*wrong, *(_sentence(field_, told) for field_, told in messages.items())]
    if "args" in values:
        values["args"] = tuple(values["args"])
    if "tools" in values:
        values["tools"] = frozenset(values["tools"])
    return values, wrong


def _sentence(field_: str, told: Any) -> str:
    text = " ".join(told) if isinstance(told, list) else "holds something that is no text."
    return text if field_ == "_schema" else f"{field_}: {text}"
