"""Checks a stage's parameters against the schema of its capability."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from shared.capabilities.contract import Manifest
from shared.contracts.findings import Finding, error, json_pointer
from shared.contracts.names import did_you_mean


def params_findings(manifest: Manifest, params: dict[str, Any], pointer: str) -> list[Finding]:
    """Return `unknown_parameter` and `invalid_parameter` findings below `pointer`."""
    unknown = list(_unknown(manifest, params, pointer))
    validator = _validator(orjson.dumps(manifest.params))
    invalid = [
        _invalid(problem, pointer)
        for problem in validator.iter_errors(params)
        if not (problem.validator == "additionalProperties" and not problem.absolute_path)
    ]
    return unknown + sorted(invalid, key=lambda finding: (finding.pointer, finding.detail))


def _unknown(manifest: Manifest, params: dict[str, Any], pointer: str) -> Iterator[Finding]:
    schema = manifest.params
    if schema.get("additionalProperties", False) is not False or "patternProperties" in schema:
        return
    known = schema.get("properties", {})
    for name in params:
        if name not in known:
            detail = f"`{manifest.name}` has no parameter `{name}`." + did_you_mean(name, known)
            yield error("unknown_parameter", pointer + json_pointer(name), detail)


def _invalid(problem: ValidationError, pointer: str) -> Finding:
    where = pointer + json_pointer(*problem.absolute_path)
    return error("invalid_parameter", where, f"Correct this parameter: {_clipped(problem)}.")


def _clipped(problem: ValidationError) -> str:
    message = problem.message.rstrip(".")
    return message if len(message) <= 300 else message[:300] + "..."


@lru_cache(maxsize=128)
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(orjson.loads(schema))
