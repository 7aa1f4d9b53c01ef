"""The image and compose.yaml are sound and keep in step with the services and the settings."""

import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from services.cli.app import app as command_line
from services.cli.commands.services import ServiceName
from shared.settings import Settings, env_name

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
COMPOSE = ROOT / "compose.yaml"
STORES = {"postgres", "redis"}
ONE_SHOT = {"migrate"}
# The command line's own; a service has no use for them.
NOT_OF_SERVICES = {"APWA_API_URL", "APWA_API_KEY"}


def test_the_dockerfile_passes_hadolint() -> None:
    result = _run(_tool("hadolint"), "--no-color", str(DOCKERFILE))

    assert result.returncode == 0, result.stdout


def test_the_compose_file_follows_the_compose_specification() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]

    result = _run(sys.executable, "-m", "check_jsonschema", *schema, str(COMPOSE))

    assert result.returncode == 0, result.stdout


def test_there_is_no_top_level_name() -> None:
    # Compose 1.29, which Debian ships, refuses it.
    assert "name" not in _compose()


def test_every_service_of_ours_runs_in_a_container_of_its_own() -> None:
    ours = set(_compose()["services"]) - STORES - ONE_SHOT
    packages = {path.parent.name for path in (ROOT / "services").glob("*/__main__.py")} - {"cli"}

    assert ours == packages
    assert ours == {service.value for service in ServiceName}


def test_every_command_of_a_container_is_one_of_the_command_line() -> None:
    commands = {command.name for command in command_line.registered_commands}

    for name, service in _own_services().items():
        first, *rest = service["command"]
        assert first in commands, name
        assert rest == ([] if first == "migrate" else [name])


def test_the_image_does_not_run_as_root() -> None:
    last_stage = DOCKERFILE.read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    users = re.findall(r"^USER (\d+):(\d+)$", last_stage, re.MULTILINE)

    assert users
    assert "0" not in users[-1]
    for service in _own_services().values():
        assert "user" not in service
        assert "privileged" not in service


def test_libraries_are_installed_by_hash() -> None:
    assert "pip install --no-cache-dir --require-hashes -r" in DOCKERFILE.read_text("utf-8")


def test_what_the_image_copies_is_let_in_and_nothing_else() -> None:
    sources = set()
    for line in DOCKERFILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY ") and "--from=" not in line:
            sources |= set(line.split()[1:-1])
    patterns = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")

    assert "*" in patterns
    assert {pattern[1:] for pattern in patterns if pattern.startswith("!")} == sources
    assert all((ROOT / source).exists() for source in sources)


def test_every_setting_of_the_compose_file_exists() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    known = set(re.findall(r"^# (APWA_[A-Z0-9_]+)=", example, re.MULTILINE))

    assert set(re.findall(r"APWA_[A-Z0-9_]+", _settings_text())) <= known


@pytest.mark.parametrize("service", sorted(service.value for service in ServiceName))
def test_every_setting_reaches_every_service(service: str) -> None:
    wanted = {env_name(field.name) for field in fields(Settings)} - NOT_OF_SERVICES

    assert set(_compose()["services"][service]["environment"]) == wanted


def test_no_secret_is_written_down() -> None:
    text = COMPOSE.read_text(encoding="utf-8")

    for line in text.splitlines():
        if not line.lstrip().startswith("#") and "PASSWORD" in line:
            assert "${POSTGRES_PASSWORD:?" in line


def test_only_the_api_is_published_and_only_on_loopback() -> None:
    published = {
        name: service["ports"]
        for name, service in _compose()["services"].items()
        if "ports" in service
    }

    assert list(published) == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in published["api"])


def test_services_wait_for_migrated_stores_and_can_be_scaled() -> None:
    for name, service in _own_services().items():
        waits = {other: how["condition"] for other, how in service["depends_on"].items()}
        assert waits["postgres"] == "service_healthy"
        assert "container_name" not in service
        if name not in ONE_SHOT:
            assert waits["migrate"] == "service_completed_successfully"
            assert service["restart"] == "unless-stopped"
            assert service["healthcheck"]["test"][-2:] == ["docker/healthcheck.py", name]


def test_containers_get_more_time_to_stop_than_the_service_takes() -> None:
    for name, service in _own_services().items():
        grace_s = int(service["stop_grace_period"].removesuffix("s"))
        assert grace_s > Settings().stop_grace_s, name


def test_redis_keeps_what_it_holds() -> None:
    command = " ".join(_compose()["services"]["redis"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def _compose() -> dict[str, Any]:
    text = COMPOSE.read_text(encoding="utf-8")
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return document


def _own_services() -> dict[str, dict[str, Any]]:
    services = _compose()["services"]
    return {name: service for name, service in services.items() if name not in STORES}


def _settings_text() -> str:
    """Return the compose file without its comments."""
    lines = COMPOSE.read_text(encoding="utf-8").splitlines()
    return "\n".join(line.partition(" #")[0] for line in lines if not line.startswith("#"))


def _tool(name: str) -> str:
    """Return the path of a tool installed beside this Python, or anywhere on the path."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    assert found, f"{name} is not installed: pip install -r requirements-dev.txt"
    return found


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
