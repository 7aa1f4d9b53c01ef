"""The facts of every built-in capability, said once for the worker, the api and the planner.

Each module here holds ``MANIFEST`` and may hold ``output(inputs, params)`` (the JSON Schema of one
output row) and ``check_params(params)`` (problems a JSON Schema cannot say, as pairs of a JSON
Pointer below ``params`` and a sentence).
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast

from shared.capabilities.builtin import (
    agent,
    chat,
    extract,
    fetch,
    llm,
    redact,
    split,
    sql,
    summarize,
)
from shared.capabilities.contract import Columns, Manifest

__all__ = [
    "NAMES",
    "NEEDS_MODEL",
    "check_params",
    "manifests",
    "output_schema",
]

_MODULES: dict[str, ModuleType] = {
    "split": split,
    "sql": sql,
    "redact": redact,
    "summarize": summarize,
    "extract": extract,
    "fetch": fetch,
    "chat": chat,
    "agent": agent,
    "llm": llm,
}

NAMES: tuple[str, ...] = tuple(_MODULES)
NEEDS_MODEL: frozenset[str] = agent.MODEL_RUN  # a worker without an endpoint does not offer these


def manifests() -> dict[str, Manifest]:
    """Return the manifests of the capabilities that ship with every worker, by name."""
    return {name: module.MANIFEST for name, module in _MODULES.items()}


def output_schema(
    name: str, inputs: Mapping[str, Columns], params: dict[str, Any]
) -> dict[str, Any] | None:
    """Return the JSON Schema of one output row of a built-in, without kept columns.

    `inputs` maps table names to columns. None for a name that is not built in and for the
    model-run ones, whose output the plan gives.
    """
    output = getattr(_MODULES.get(name), "output", None)
    return None if output is None else cast("dict[str, Any]", output(inputs, params))


def check_params(name: str, params: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with parameters that already satisfy the schema of built-in `name`.

    Pairs of a JSON Pointer relative to ``params`` and a sentence; empty when all is well or the
    capability has no such check.
    """
    check = getattr(_MODULES.get(name), "check_params", None)
    return [] if check is None else list(check(params))
