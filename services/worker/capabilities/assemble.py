"""Joins the facts of a built-in with the function that runs it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.capabilities.contract import Context, Manifest, OutputFunction, Unit

Run = Callable[[Unit, Context], Any]


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A capability as the contract describes it; picklable, since all its parts are."""

    name: str
    version: str
    description: str
    params: dict[str, Any]
    units: tuple[str, ...]
    queue: str
    runs: str
    effects: str
    emits: str
    reads: str
    output: OutputFunction
    run: Run


def assemble(manifest: Manifest, output: OutputFunction, run: Run) -> BuiltIn:
    """Return the capability with these facts; `run` must be a function of a module."""
    return BuiltIn(
        name=manifest.name,
        version=manifest.version,
        description=manifest.description,
        params=manifest.params,
        units=manifest.units,
        queue=manifest.queue,
        runs=manifest.runs,
        effects=manifest.effects,
        emits=manifest.emits,
        reads=manifest.reads,
        output=output,
        run=run,
    )
