"""Finds the capabilities installed on this machine and checks them against the contract."""

import inspect
import pickle
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from shared.capabilities import builtin
from shared.capabilities.contract import Capability, Manifest

GROUP = "apwa.capabilities"

_CHOICES = {"queue": ("model", "cpu"), "runs": ("loop", "process"), "effects": ("none", "external")}
_UNITS = ("rows", "group", "table")
# Named as entry points are, so that the built-ins are found in a source tree nobody installed.
_BUILTIN_VALUES = {
    name: f"services.worker.capabilities.{name}:capability" for name in builtin.NAMES
}


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found: sound capabilities by name, and a sentence for each one left out."""

    capabilities: dict[str, Capability] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def installed() -> dict[str, Capability]:
    """Return the sound capabilities of this machine by name; `discover` also tells the others."""
    return discover().capabilities


def discover(*, with_models: bool = False) -> Discovery:
    """Load every capability of the entry point group; one that is broken is told, not raised.

    Those that call a model are left out unless `with_models`: no endpoint, no capability.
    """
    found = Discovery()
    for entry in [*_own_entries(with_models), *_foreign_entries(found.problems)]:
        if entry.name in found.capabilities:
            found.problems.append(f"{_told(entry)}: the name is already taken; it is left out.")
            continue
        _load(entry, found)
    return found


def check_capability(capability: object) -> list[str]:
    """Return what keeps an object from being a capability, as sentences; empty when it is one."""
    missing = [name for name in _ATTRIBUTES if not hasattr(capability, name)]
    if missing:
        return [f"attribute `{name}` is missing" for name in missing]
    return [
        *_check_texts(capability),
        *_check_choices(capability),
        *_check_schemas(capability),
        *_check_run(capability),
    ]


def manifest_of(capability: Capability) -> Manifest:
    """Return the facts of a sound capability in the form that is written to Postgres."""
    fixed = capability.output if isinstance(capability.output, dict) else None
    return Manifest(
        name=capability.name,
        version=capability.version,
        description=capability.description,
        params=capability.params,
        units=tuple(capability.units),
        queue=capability.queue,
        runs=capability.runs,
        effects=capability.effects,
        emits=getattr(capability, "emits", "one"),
        output=fixed,
        computed_output=callable(capability.output),
        reads=getattr(capability, "reads", "rows"),
        reusable=getattr(capability, "reusable", True) is True,
    )


_ATTRIBUTES = (
    "name",
    "version",
    "description",
    "params",
    "units",
    "queue",
    "runs",
    "effects",
    "output",
    "run",
)


def _own_entries(with_models: bool) -> Iterable[EntryPoint]:
    return [
        EntryPoint(name, value, GROUP)
        for name, value in _BUILTIN_VALUES.items()
        if with_models or name not in builtin.NEEDS_MODEL
    ]


def _foreign_entries(problems: list[str]) -> Iterable[EntryPoint]:
    for entry in sorted(entry_points(group=GROUP), key=lambda one: (one.name, one.value)):
        if _BUILTIN_VALUES.get(entry.name) == entry.value:
            continue
        if entry.name in builtin.NAMES:
            problems.append(f"{_told(entry)}: the name belongs to a built-in; it is left out.")
            continue
        yield entry


def _load(entry: EntryPoint, found: Discovery) -> None:
    try:
        capability = entry.load()
        problems = check_capability(capability)
    except Exception as error:  # noqa: BLE001 - a stranger's import may raise anything; it is told
        found.problems.append(f"{_told(entry)}: cannot be loaded ({error!r}).")
        return
    if not problems and capability.name != entry.name:
        problems = [f"its name is `{capability.name}` but its entry point `{entry.name}`"]
    if problems:
        found.problems.append(f"{_told(entry)}: {'; '.join(problems)}.")
        return
    found.capabilities[entry.name] = capability


def _told(entry: EntryPoint) -> str:
    package = f" of package {entry.dist.name}" if entry.dist is not None else ""
    return f"capability `{entry.name}` ({entry.value}{package})"


def _check_texts(capability: Any) -> list[str]:
    return [
        f"`{name}` must be a text that is not empty"
        for name in ("name", "version", "description")
        if not isinstance(getattr(capability, name), str) or not getattr(capability, name).strip()
    ]


def _check_choices(capability: Any) -> list[str]:
    choices = {name: (getattr(capability, name), allowed) for name, allowed in _CHOICES.items()}
    choices["emits"] = (getattr(capability, "emits", "one"), ("one", "many"))
    choices["reads"] = (getattr(capability, "reads", "rows"), ("rows", "tables"))
    found = [
        f"`{name}` is {value!r} but must be one of {', '.join(allowed)}"
        for name, (value, allowed) in choices.items()
        if value not in allowed
    ]
    reusable = getattr(capability, "reusable", True)
    if not isinstance(reusable, bool) and not callable(reusable):
        found.append(f"`reusable` is {reusable!r} but must be True, False or a function of params")
    units = capability.units
    sound = isinstance(units, (tuple, list)) and all(unit in _UNITS for unit in units)
    if not sound or not units:
        found.append(f"`units` is {units!r} but must name some of {', '.join(_UNITS)}")
    return found


def _check_schemas(capability: Any) -> list[str]:
    found = _check_schema("params", capability.params)
    if capability.output is not None and not callable(capability.output):
        found += _check_schema("output", capability.output)
    return found


def _check_schema(name: str, schema: object) -> list[str]:
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return [f"`{name}` must be a JSON Schema of type object"]
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return [f"`{name}` is not a valid JSON Schema: {error.message}"]
    return []


def _check_run(capability: Any) -> list[str]:
    run = capability.run
    if not callable(run):
        return ["`run` must be a function"]
    waits = inspect.iscoroutinefunction(run)
    if capability.runs == "loop" and not waits:
        return ["`run` must be an `async def` because `runs` is loop"]
    if capability.runs != "process":
        return []
    if waits:
        return ["`run` must be a plain function because `runs` is process"]
    try:
        pickle.dumps(run)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        return [f"`run` cannot be sent to a child process: {error}"]
    return []
