"""What the linter may know about a job: metadata of its tables, capabilities, limits."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from shared.capabilities import builtin, registry
from shared.capabilities.builtin.agent import tools_of
from shared.capabilities.contract import Capability, Columns, Manifest
from shared.database import capabilities, endpoint_abilities, keys, mcp_tools, projects, tables
from shared.database.engine import Connection
from shared.database.jobs import JobInput
from shared.database.mcp_tools import McpTool
from shared.domain.columns import Column
from shared.domain.mcp_tool import permits
from shared.llm.endpoints import Endpoints, endpoints_of
from shared.llm.prices import token_prices
from shared.plans.facts import (
    BUILT_INS,
    Limits,
    ModelPrice,
    OutputProblem,
    PlanFacts,
    TableFacts,
)
from shared.settings import Settings
from shared.tables.sql import SqlRefused

_MICRO = 1_000_000


def plan_facts(
    connection: Connection,
    inputs: Sequence[JobInput],
    policy: Mapping[str, Any],
    output: Mapping[str, Any] | None,
    settings: Settings,
    *,
    project_id: str,
    staged: Mapping[str, TableFacts] | None = None,
) -> PlanFacts:
    """Return the facts a plan over these inputs is checked against.

    `staged` holds the facts of inputs that are not sealed yet, by name. Raises LookupError for an
    input table that is gone.
    """
    known = staged or {}
    endpoints = endpoints_of(settings)
    installed = {
        manifest.name: manifest
        for manifest in map(Manifest.from_json, capabilities.manifests(connection))
    }
    offered = mcp_tools.all_tools(connection)
    return PlanFacts(
        tables={
            item.name: known.get(item.name) or _stored_facts(connection, item, policy)
            for item in inputs
        },
        capabilities=installed,
        known=BUILT_INS | frozenset(installed),
        limits=_limits(
            policy,
            settings,
            keys.allows_external(connection, project_id),
            _tools(connection, project_id, installed, offered),
        ),
        output=output,
        output_of=output_of,
        check_params=builtin.check_params,
        model_available=bool(endpoints),
        prices=_prices(endpoints),
        without_images=_without_images(connection, endpoints),
        external_tools=frozenset(tool.name for tool in offered if not tool.read_only),
        tool_notes={tool.name: tool.description for tool in offered},
    )


def table_facts(
    columns: tuple[Column, ...],
    rows: int | None,
    key: str | None,
    statistics: Mapping[str, Any] | None,
    sample: Sequence[Mapping[str, Any]] | None,
    policy: Mapping[str, Any],
) -> TableFacts:
    """Return the facts of one table from what was gathered while it was loaded.

    `rows` is None while records may be appended: then counts of distinct values mean nothing.
    Samples are left out when the policy lets the planner see the schema only.
    """
    known = {
        name: facts  # figures of the whole table stand beside those of its columns
        for name, facts in (statistics or {}).get("columns", {}).items()
        if isinstance(facts, dict) and "distinct" in facts
    }
    seen = sample or [] if policy.get("planner_sees", "samples") == "samples" else []
    lengths = {name: facts["mean_length"] for name, facts in known.items()}
    return TableFacts(
        columns=columns,
        rows=rows,
        key=key,
        distinct={name: facts["distinct"] for name, facts in known.items() if rows is not None},
        mean_chars={name: length for name, length in lengths.items() if length is not None},
        samples=tuple(
            {name: value for name, value in row.items() if name != "_row"} for row in seen
        ),
    )


def _stored_facts(connection: Connection, item: JobInput, policy: Mapping[str, Any]) -> TableFacts:
    table = tables.find(connection, item.table_id)
    if table is None:
        raise LookupError(f"input table {item.table_id} is gone")
    rows = None if table.status == "open" else table.row_count
    return table_facts(
        table.columns, rows, item.key or table.key, table.statistics, table.sample,
        policy,
    )  # fmt: skip


def _limits(
    policy: Mapping[str, Any], settings: Settings, allow_external: bool, tools: frozenset[str]
) -> Limits:
    budget = policy.get("budget") or {}
    usd = budget.get("usd")
    return Limits(
        max_stages=settings.max_stages,
        max_subtasks=settings.max_subtasks,
        max_tokens=budget.get("tokens"),
        budget_microusd=None if usd is None else round(usd * _MICRO),
        tools=tools,
        allow_external=allow_external,
    )


def _tools(
    connection: Connection, project_id: str, installed: Mapping[str, Manifest],
    offered: Sequence[McpTool],
) -> frozenset[str]:  # fmt: skip
    """Return the tools an agent may list: those there are, less what the project forbids."""
    there = tools_of(installed.values()) | {tool.name for tool in offered}
    allowed = projects.allowed_tools(connection, project_id)
    return frozenset(tool for tool in there if permits(allowed, tool))


def _prices(endpoints: Endpoints) -> dict[str, ModelPrice]:
    """Return what tokens cost by every name a plan may give; unknown prices are absent."""
    found = {}
    for name in endpoints.names():
        endpoint = endpoints.find(name)
        prices = token_prices(endpoint) if endpoint is not None else None
        if prices is not None:
            found[name] = ModelPrice(prices.input_usd_per_million, prices.output_usd_per_million)
    return found


def _without_images(connection: Connection, endpoints: Endpoints) -> frozenset[str]:
    """Return the names a plan may give whose endpoint a probe found to take no images."""
    refusing = set()
    for endpoint in endpoints:
        found = endpoint_abilities.find(
            connection, endpoint.name, endpoint.address_hash, endpoint.model
        )
        if found is not None and found.get("images") is False:
            refusing.add(endpoint.name)
    return frozenset(
        name
        for name in endpoints.names()
        if (served := endpoints.find(name)) is not None and served.name in refusing
    )


def output_of(
    name: str, inputs: Mapping[str, Columns], params: dict[str, Any]
) -> dict[str, Any] | OutputProblem:
    """Return the output schema of a capability that computes it, built in or installed here."""
    try:
        if name in builtin.NAMES:
            schema = builtin.output_schema(name, inputs, params)
        else:
            schema = _foreign_output(name, inputs, params)
    except SqlRefused as refused:
        return OutputProblem(refused.code, refused.detail, "/query")
    if schema is None:
        return OutputProblem(
            "capability_unavailable",
            f"`{name}` computes its output by a function; install its package here as well.",
        )
    return schema


def _foreign_output(
    name: str, inputs: Mapping[str, Columns], params: dict[str, Any]
) -> dict[str, Any] | None:
    capability = _installed().get(name)
    if capability is None or not callable(capability.output):
        return None
    return capability.output(inputs, params)


@cache
def _installed() -> dict[str, Capability]:
    return registry.installed()
