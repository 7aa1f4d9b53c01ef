"""Installs the stranger's package as its user would, away from this environment."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "apwa_shout"


@pytest.fixture(scope="session")
def own_package(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The directory with the installed package: put it on PYTHONPATH of who shall have it."""
    folder = tmp_path_factory.mktemp("packages")
    source, target = folder / "source", folder / "installed"
    shutil.copytree(SOURCE, source)  # building writes beside the source
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([*command, "--target", str(target), str(source)], check=True)
    return str(target)
