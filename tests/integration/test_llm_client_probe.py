"""`apwa models` and the probe behind it, against the fake endpoint and a real database."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from shared.database import endpoint_abilities
from shared.domain.model_call import CallFailure
from shared.llm.abilities import Abilities
from shared.llm.client import ModelClient
from shared.llm.endpoints import Endpoint
from shared.llm.probe import Probed, probe
from shared.settings import Settings
from tests.fake_llm.process import FakeModel

ROOT = Path(__file__).parents[2]
EVERYTHING: dict[str, Any] = {
    "json_schema": True,
    "json_object": True,
    "tools": True,
    "images": True,
    "usage": True,
    "temperature": True,
    "max_tokens": True,
    "ignores_format": False,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("fake")) as running:
        yield running


@pytest.fixture(autouse=True)
def able(model: FakeModel) -> None:
    model.change(abilities=EVERYTHING, next_faults=[], requests_per_minute=None)


def test_an_endpoint_that_can_do_everything_is_found_out(model: FakeModel):
    model.change(requests_per_minute=1_000)

    found = _probe(model)

    assert isinstance(found, Probed)
    assert found.abilities == Abilities(
        json_schema=True, json_object=True, tools=True, images=True, usage=True,
        limit_headers=True, temperature=True, output_limit="max_tokens",
    )  # fmt: skip


@pytest.mark.parametrize(
    "lacking", ["json_schema", "json_object", "tools", "images", "usage", "temperature"]
)
def test_each_lacking_ability_is_found_out_alone(model: FakeModel, lacking: str):
    model.change(abilities={lacking: False})

    found = _probe(model)

    assert isinstance(found, Probed)
    told = found.abilities.to_json()
    assert [name for name in EVERYTHING if told.get(name) is False] == [lacking]


def test_an_endpoint_that_takes_a_schema_and_ignores_it_is_not_believed(model: FakeModel):
    model.change(abilities={"ignores_format": True})

    found = _probe(model)

    assert isinstance(found, Probed)
    assert (found.abilities.json_schema, found.abilities.json_object) == (False, False)


def test_the_newer_name_of_the_output_limit_is_found(model: FakeModel):
    model.change(abilities={"max_tokens": False})

    found = _probe(model)

    assert isinstance(found, Probed)
    assert found.abilities.output_limit == "max_completion_tokens"
    assert found.abilities.json_schema is True


def test_a_disturbed_call_leaves_its_ability_unknown(model: FakeModel):
    model.change(next_faults=["ok", "ok", "429"])  # the third call asks for json_schema

    found = _probe(model)

    assert isinstance(found, Probed)
    assert found.abilities.json_schema is None
    assert found.abilities.json_object is True


def test_an_endpoint_that_refuses_the_key_is_a_failure_not_a_lack(model: FakeModel):
    model.change(next_faults=["401", "401"])

    found = _probe(model)

    assert isinstance(found, CallFailure)
    assert found.status == 401


def test_what_was_found_is_stored_for_one_address_and_model(database: Engine):
    with database.begin() as connection:
        endpoint_abilities.save(connection, "worker", "hash-1", "small", {"tools": False})
        endpoint_abilities.save(connection, "worker", "hash-1", "small", {"tools": True})

        assert endpoint_abilities.find(connection, "worker", "hash-1", "small") == {"tools": True}
        assert endpoint_abilities.find(connection, "worker", "hash-1", "large") is None
        assert endpoint_abilities.find(connection, "worker", "hash-2", "small") is None
        assert [item.name for item in endpoint_abilities.all_found(connection)] == ["worker"]


def test_the_command_probes_and_stores_and_never_shows_the_key(
    model: FakeModel, settings: Settings, database: Engine, tmp_path: Path
):
    ended = _apwa(
        tmp_path, "models", "probe", "worker", "--json",
        APWA_DATABASE_URL=settings.database_url, APWA_REDIS_URL=settings.redis_url,
        OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-never-shown", APWA_MODEL="fake-1",
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)["endpoints"][0]
    assert (told["name"], told["stored"], told["own"]) == ("default", True, True)
    assert "sk-never-shown" not in ended.stdout + ended.stderr
    with database.connect() as connection:
        stored = endpoint_abilities.all_found(connection)
    assert [(item.name, item.model) for item in stored] == [("default", "fake-1")]
    assert stored[0].abilities == told["abilities"]


def test_the_command_without_a_database_still_shows_what_it_found(model: FakeModel, tmp_path: Path):
    ended = _apwa(tmp_path, "models", "probe", OPENAI_BASE_URL=model.base_url, APWA_MODEL="fake-1")

    assert ended.returncode == 0, ended.stderr
    assert "json_schema" in ended.stdout
    assert "not stored" in ended.stderr


def test_the_command_says_how_to_configure_a_model(tmp_path: Path):
    ended = _apwa(tmp_path, "models", "probe")

    assert ended.returncode == 2
    assert "OPENAI_BASE_URL" in ended.stderr


def _probe(model: FakeModel) -> Probed | CallFailure:
    async def once() -> Probed | CallFailure:
        client = ModelClient(Endpoint("default", model.base_url, "fake-1"))
        try:
            return await probe(client, deadline_s=20)
        finally:
            await client.close()

    return asyncio.run(once())


def _apwa(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("APWA_", "OPENAI_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
