"""What the OpenAPI document promises holds: it is sound, and the live services keep to it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

from services.api.openapi import document
from services.api.operations import OPERATIONS
from services.api.operations.examples import EXAMPLES, FILES
from tests.contract.__main__ import NO_NETWORK
from tests.stack import ROOT

FEW = 3  # examples for each operation; `make contract` takes a hundred


def test_the_document_is_valid_openapi_3_1() -> None:
    made = document()
    assert made["openapi"].startswith("3.1.")
    assert [error.message for error in Draft202012Validator(OPENAPI_31).iter_errors(made)] == []


def test_every_schema_of_the_document_is_a_json_schema() -> None:
    schemas = list(_schemas(document()))
    assert len(schemas) > len(OPERATIONS)
    for schema in schemas:
        Draft202012Validator.check_schema(schema)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    made = document()
    references = list(_references(made))
    assert len(references) > len(OPERATIONS)
    assert [ref for ref in references if not _leads_somewhere(made, ref)] == []


def test_every_example_belongs_to_a_body() -> None:
    bodies = {one.name: one.body or {} for one in OPERATIONS}
    assert [name for name in EXAMPLES if not bodies.get(name)] == []
    assert [name for name, kind in FILES if kind not in bodies.get(name, {})] == []


def test_the_live_services_keep_to_the_document(tmp_path: Path) -> None:
    # when made-up requests, good and bad ones, are sent to every operation
    figures = tmp_path / "figures.json"
    ended = subprocess.run(
        [sys.executable, "-m", "tests.contract", "--examples", str(FEW), "--seed", "1",
         "--phases", "examples,fuzzing", "--figures", str(figures)],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if ended.returncode == NO_NETWORK:
        pytest.skip(ended.stdout)
    # then no check finds anything (that each error is a problem is one), and most succeed
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-5_000:]
    told = json.loads(figures.read_text())
    assert told["exit_code"] == 0
    assert len(told["silent"]) <= 0.1 * told["operations"], told["silent"]


def _schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the schemas of components, parameters and media types."""
    if isinstance(value, list):
        for item in value:
            yield from _schemas(item)
    elif isinstance(value, dict):
        if isinstance(value.get("schema"), dict):
            yield value["schema"]
        if isinstance(value.get("schemas"), dict):
            yield from value["schemas"].values()
        for item in value.values():
            yield from _schemas(item)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from _references(item)


def _leads_somewhere(made: dict[str, Any], reference: str) -> bool:
    found: Any = made
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found is not None
