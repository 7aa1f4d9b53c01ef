"""The facts of the built-ins: sound schemas, sound outputs, findings with pointers."""

import subprocess
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.worker.capabilities import extract, fetch, llm, redact, split, summarize
from shared.capabilities import builtin
from shared.capabilities.builtin.agent import tools_of
from shared.capabilities.contract import Manifest
from shared.domain.columns import Column, columns_of_schema
from tests.unit.capabilities.units import context_of, unit_of

TEXT = {"t": [{"name": "text", "type": "string"}]}


@pytest.mark.parametrize("manifest", builtin.manifests().values())
def test_a_manifest_survives_postgres_and_its_schema_is_valid(manifest: Manifest) -> None:
    assert Manifest.from_json(manifest.to_json()) == manifest
    Draft202012Validator.check_schema(manifest.params)


def test_the_names_of_manifests_are_their_keys() -> None:
    assert all(manifest.name == name for name, manifest in builtin.manifests().items())
    assert tuple(builtin.manifests()) == builtin.NAMES


@pytest.mark.parametrize(
    ("capability", "params"),
    [
        (split.capability, {"levels": [{"column": "c", "pattern": "^C"}]}),
        (split.capability, {"by": "sentence", "size": 2}),
        (redact.capability, {}),
        (summarize.capability, {"sentences": 1}),
        (extract.capability, {"patterns": {"word": r"\w+"}}),
    ],
)
def test_what_a_capability_returns_satisfies_its_own_output(
    capability: Any, params: dict[str, Any]
) -> None:
    context = context_of(**params)
    schema = capability.output(TEXT, context.params)
    Draft202012Validator(capability.params).validate(context.params)
    answer = capability.run(unit_of("C one\n\nMail a@example.com is here. And so on."), context)
    for row in answer if isinstance(answer, list) else [answer]:
        Draft202012Validator(schema).validate(row)


def test_the_columns_of_redact_are_the_field_and_entities() -> None:
    schema = builtin.output_schema("redact", TEXT, {"field": "text"})
    assert schema is not None
    assert columns_of_schema(schema) == (Column("text", "string"), Column("entities", "json"))


@pytest.mark.parametrize("name", ["llm", "no_such_name"])
def test_what_the_plan_describes_or_nobody_knows_has_no_output_of_its_own(name: str) -> None:
    assert builtin.output_schema(name, TEXT, {}) is None


def test_an_agent_may_list_its_own_tools_and_deterministic_capabilities_of_rows() -> None:
    found = tools_of(builtin.manifests().values())

    assert found == {"sql", "fetch", "search_text", "split", "redact", "summarize", "extract"}


def test_answers_that_change_with_time_are_not_reused() -> None:
    once = {name for name, manifest in builtin.manifests().items() if not manifest.reusable}

    assert once == {"fetch", "chat", "agent"}
    assert fetch.capability.reusable is False
    assert llm.capability.reusable is True


@pytest.mark.parametrize(
    ("name", "params", "pointer"),
    [
        ("split", {"field": "t"}, ""),
        ("split", {"field": "t", "by": "tokens"}, "/size"),
        ("split", {"field": "t", "by": "sentence", "front": "drop"}, "/front"),
        ("split", {"field": "t", "levels": [{"column": "c", "pattern": "("}]}, "/levels/0/pattern"),
        (
            "split",
            {"field": "t", "levels": [{"column": "c", "pattern": "x*"}]},
            "/levels/0/pattern",
        ),
        (
            "split",
            {"field": "t", "levels": [{"column": "text", "pattern": "x"}]},
            "/levels/0/column",
        ),
        ("extract", {"field": "t", "patterns": {"a/b": "["}}, "/patterns/a~1b"),
        ("redact", {"field": "entities"}, "/field"),
    ],
)
def test_what_a_schema_cannot_say_is_found_with_its_pointer(
    name: str, params: dict[str, Any], pointer: str
) -> None:
    ((found, detail),) = builtin.check_params(name, params)
    assert found == pointer
    assert detail.endswith(".")


def test_two_levels_with_one_column_are_found() -> None:
    level = {"column": "c", "pattern": "x"}
    found = builtin.check_params("split", {"field": "t", "levels": [level, level]})
    assert [pointer for pointer, _ in found] == ["/levels/1/column"]


def test_sound_parameters_have_no_findings() -> None:
    assert builtin.check_params("summarize", {"field": "t"}) == []
    assert builtin.check_params("split", {"field": "t", "by": "paragraph"}) == []


def test_the_facts_load_no_heavy_library() -> None:
    code = (
        "import sys, shared.capabilities.builtin\n"
        "heavy = {'pyarrow', 'duckdb', 'phonenumbers', 'stdnum', 'semantic_text_splitter'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
