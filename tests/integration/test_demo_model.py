"""`make demo-model`: says how to configure a model, or shows one at work."""

import csv
import os
import subprocess
import sys
from pathlib import Path

from tests.fake_llm.process import FakeModel

ROOT = Path(__file__).parents[2]


def run_demo(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    silent = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "APWA_ENDPOINTS": "", "APWA_API_URL": ""}
    words = ["demo-model", "--dir", str(folder / "stack"), "--output", str(folder / "out")]
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *words, "--tickets", "5", "--workers", "1"],
        cwd=ROOT,
        env={**os.environ, **silent, **environ},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_without_a_model_three_lines_say_how_to_configure_one(tmp_path: Path) -> None:
    ended = run_demo(tmp_path)

    assert ended.returncode == 2
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 3
    assert "no model is configured" in lines[0]
    assert "OPENAI_API_KEY=" in lines[1]
    assert "OPENAI_BASE_URL=" in lines[2]
    assert "APWA_MODEL=" in lines[2]
    assert list(tmp_path.iterdir()) == [], "nothing was started or made"


def test_with_a_model_it_plans_and_works_one_sentence(tmp_path: Path) -> None:
    with FakeModel(tmp_path) as model:
        ended = run_demo(tmp_path, OPENAI_BASE_URL=model.base_url, APWA_MODEL="fake")
        kinds = [call.kind for call in model.calls()]

    assert ended.returncode == 0, ended.stderr
    assert "plan, written by the engine `model`" in ended.stdout
    assert kinds.count("plan") >= 1
    assert kinds.count("chat") == 5
    assert f"{len(kinds)} calls" in ended.stdout
    with (tmp_path / "out" / "model-labels.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 5


def test_make_knows_it() -> None:
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )

    assert "make demo-model" in shown.stdout
