"""The registry finds built-ins and strangers' capabilities, and tells what is wrong with others."""

import pickle
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.worker.capabilities.redact import capability as redact
from shared.capabilities.registry import check_capability, discover, installed, manifest_of

SOUND = """
class Shout:
    name = "{name}"
    version = "1"
    description = "Shouts."
    params = {{"type": "object"}}
    units = ("rows",)
    queue = "cpu"
    runs = "{runs}"
    effects = "none"
    output = {{"type": "object", "properties": {{"loud": {{"type": "string"}}}}}}

    @staticmethod
    def run(unit, context):
        return {{"loud": unit.rows[0]["text"].upper()}}


capability = Shout()
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that installs a tiny package with one entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, source: str, module: str) -> None:
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[apwa.capabilities]\n{name} = {module}:capability\n"
        )
        monkeypatch.delitem(sys.modules, module, raising=False)

    return install


def test_the_built_ins_are_found_without_being_installed() -> None:
    assert {"split", "redact", "summarize", "extract"} <= set(installed())


def test_a_strangers_capability_is_found_by_its_entry_point(package: Any) -> None:
    package("shout", SOUND.format(name="shout", runs="process"), "apwa_shout_sound")
    manifest = manifest_of(installed()["shout"])
    assert (manifest.emits, manifest.reads, manifest.computed_output) == ("one", "rows", False)
    assert manifest.output is not None


@pytest.mark.parametrize(
    ("name", "source", "told"),
    [
        ("redact", SOUND.format(name="redact", runs="process"), "belongs to a built-in"),
        ("llm", SOUND.format(name="llm", runs="process"), "belongs to a built-in"),
        ("broken", "raise RuntimeError('no')", "cannot be loaded"),
        ("other", SOUND.format(name="shout", runs="process"), "its name is `shout`"),
        ("shout", SOUND.format(name="shout", runs="loop"), "must be an `async def`"),
    ],
)
def test_a_capability_that_is_unfit_is_told_and_left_out(
    package: Any, name: str, source: str, told: str
) -> None:
    module = f"apwa_unfit_{name}_{len(source)}"
    package(name, source, module)
    found = discover()
    assert any(told in problem and module in problem for problem in found.problems)
    assert found.capabilities["redact"] is redact
    assert {"llm", "broken", "other", "shout"}.isdisjoint(found.capabilities)


def test_each_fault_of_an_object_is_named() -> None:
    good = {name: getattr(redact, name) for name in ("name", "version", "description", "params")}
    good |= {"units": ("rows",), "queue": "cpu", "runs": "process", "effects": "none"}
    good |= {"output": redact.output, "run": redact.run}
    assert check_capability(SimpleNamespace(**good)) == []
    for name, wrong in [
        ("name", " "),
        ("units", ("pages",)),
        ("queue", "gpu"),
        ("effects", None),
        ("params", {"type": "string"}),
        ("output", {"type": "object", "properties": 3}),
        ("run", lambda unit, context: {}),
        ("run", None),
    ]:
        (problem,) = check_capability(SimpleNamespace(**{**good, name: wrong}))
        assert f"`{name}`" in problem


def test_an_object_with_nothing_lacks_everything() -> None:
    assert len(check_capability(object())) == 10


def test_a_built_in_can_be_sent_to_a_child_process() -> None:
    assert pickle.loads(pickle.dumps(redact)) == redact  # noqa: S301 - our own bytes


def test_the_manifest_of_a_built_in_is_its_facts() -> None:
    from shared.capabilities.builtin import manifests

    assert manifest_of(redact) == manifests()["redact"]
