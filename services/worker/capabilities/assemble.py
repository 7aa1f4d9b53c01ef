"""Joins the facts of a built-in with the function that runs it."""

from collections.abc import Callable, Sequence
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
    reusable: bool | Callable[[dict[str, Any]], bool]
    output: OutputFunction | None
    run: Run


@dataclass(frozen=True, slots=True)
class PackingBuiltIn(BuiltIn):
    """A capability that can also answer several units in one go."""

    run_pack: Callable[[Sequence[Unit], Sequence[Context]], Any]


def assemble(manifest: Manifest, output: OutputFunction | None, run: Run) -> BuiltIn:
    """Return the capability with these facts; `run` must be a function of a module."""
    return BuiltIn(**fields_of(manifest), output=output, run=run)


def fields_of(manifest: Manifest) -> dict[str, Any]:
    """Return the facts a capability object repeats."""
    return {
        name: getattr(manifest, name)
        for name in (
            "name", "version", "description", "params", "units", "queue", "runs", "effects",
            "emits", "reads", "reusable",
        )
    }  # fmt: skip
