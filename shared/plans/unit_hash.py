"""The identity of a subtask's work: what retry, fork and caching compare."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from shared.contracts.json_values import canonical_json
from shared.plans.render import RENDERER_VERSION

_FORMAT = "apwa-unit-1"  # raise it when the same facts would be hashed in another way


class StageHasher:
    """Hashes the facts all units of a stage share once, and a unit's own on top of a copy.

    `output` is the strict schema of one output row, `instructions` the rendered instructions.
    """

    def __init__(
        self,
        *,
        capability: str,
        version: str,
        params: Mapping[str, Any],
        brief: str = "",
        instructions: str | None = None,
        output: Mapping[str, Any] | None = None,
        emit: str = "one",
    ) -> None:
        facts = [_FORMAT, RENDERER_VERSION, capability, version, params, brief, instructions]
        self._prefix = hashlib.sha256(_part([*facts, output, emit]))

    def unit(
        self,
        rows: Sequence[Mapping[str, Any]],
        prompt: str | None,
        replica: int = 0,
        *,
        before: Sequence[Mapping[str, Any]] = (),
        after: Sequence[Mapping[str, Any]] = (),
        tables: Mapping[str, str] | None = None,
    ) -> str:
        """Return 64 hex digits for one unit and replica.

        `rows` are the unit's own, `before` and `after` its context, `prompt` the rendered input.
        `tables` maps input names to content hashes, for units that read whole tables lazily.
        """
        digest = self._prefix.copy()
        digest.update(_part([rows, before, after, prompt, replica, tables or {}]))
        return digest.hexdigest()


def _part(value: list[Any]) -> bytes:
    # a JSON array closes itself, so that two parts cannot run into each other
    return canonical_json(value)
