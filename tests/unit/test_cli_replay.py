"""Bundles that somebody made up are told, whatever is in them."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from services.cli.replay.archive import Archive
from services.cli.replay.replay_bundle import replay_bundle

MANIFEST: dict[str, Any] = {"format": 1, "job": "job_1", "sha256": "x", "stages": [], "members": []}


def bundle(path: Path, manifest: Any) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("manifest.json", json.dumps(manifest))
    return path


@pytest.mark.parametrize(
    "manifest",
    [
        [],
        {"format": 1},
        MANIFEST | {"stages": None},
        MANIFEST | {"members": [{"name": ["a"], "bytes": 1, "sha256": "y"}]},
        MANIFEST | {"members": [{"name": "a", "bytes": "1", "sha256": "y"}]},
        MANIFEST | {"members": [{"name": "a", "bytes": 1}]},
    ],
)
def test_a_manifest_that_is_none_is_a_finding(tmp_path: Path, manifest: Any) -> None:
    report = replay_bundle(bundle(tmp_path / "made_up.zip", manifest))

    assert "manifest.json" in [finding.where for finding in report.findings]


def test_a_member_that_is_read_whole_may_not_be_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bundle(tmp_path / "large.zip", MANIFEST)
    with zipfile.ZipFile(path) as file:
        assert Archive(file, MANIFEST).json("manifest.json") == MANIFEST
        monkeypatch.setattr("services.cli.replay.archive._JSON_BYTES", 20)
        with pytest.raises(ValueError):
            Archive(file, MANIFEST).json("manifest.json")
