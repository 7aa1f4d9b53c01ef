"""Lets an agent run a deterministic capability on one row it writes itself."""

import asyncio
from collections.abc import Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from services.worker.capabilities.agent_tool import Tool, ToolError, closed
from services.worker.capabilities.side_child import ChildLostError, in_child
from shared.capabilities import builtin
from shared.capabilities.builtin.agent import is_tool
from shared.capabilities.contract import Capability, Context, Unit
from shared.capabilities.registry import installed

WALL_S = 30.0
_ROW = {"type": "object", "description": "one row: column names and values"}
_SHOWN = 500  # characters of an error


def capability_tool(capability: Capability) -> Tool:
    """Return the tool. Its unit is one row of the arguments; it sees nothing of the agent's."""
    checker = Draft202012Validator(capability.params)

    async def run(arguments: Mapping[str, Any]) -> Any:
        row, params = dict(arguments["row"]), dict(arguments["params"])
        problem = next(iter(checker.iter_errors(params)), None)
        if problem is not None:
            raise ToolError(f"params: {problem.message[:_SHOWN]}")
        for pointer, sentence in builtin.check_params(capability.name, params):
            raise ToolError(f"params{pointer}: {sentence}")
        return await _run(capability, Unit(0, [row]), _context(params))

    return Tool(
        capability.name,
        f"{capability.description} Runs on the one row given; its params say what to do.",
        closed(row=_ROW, params=capability.params),
        run,
        lambda arguments: f"params {dict(arguments['params'])}",
    )


@cache
def installed_tools() -> dict[str, Capability]:
    """Return the capabilities of this machine that an agent may run, by name."""
    return {name: found for name, found in installed().items() if is_tool(found)}


async def _run(capability: Capability, unit: Unit, context: Context) -> Any:
    try:
        if capability.runs == "loop":
            async with asyncio.timeout(WALL_S):
                return await capability.run(unit, context)
        answer, problem = await in_child(
            _run_in_child, capability.name, unit, context, wall_s=WALL_S
        )
    except TimeoutError:
        raise ToolError(f"timeout: it took longer than {WALL_S:g} s") from None
    except ChildLostError as error:
        raise ToolError("it needs too much memory, or died") from error
    if problem is not None:
        raise ToolError(problem)
    return answer


def _run_in_child(name: str, unit: Unit, context: Context) -> tuple[Any, str | None]:
    try:
        return installed_tools()[name].run(unit, context), None
    except Exception as error:  # noqa: BLE001 - a stranger's exception may not even be picklable
        return None, f"{getattr(error, 'code', type(error).__name__)}: {error}"[:_SHOWN]


def _context(params: dict[str, Any]) -> Context:
    return Context(
        params=params,
        brief="",
        prompt=None,
        instructions=None,
        output={},
        attempt=1,
        replica=0,
        timeout_s=WALL_S,
        idempotency_key="",
    )
