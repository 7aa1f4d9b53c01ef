"""docs/webhook-tutorial.md: every command of it, in its order, in an empty folder."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.embedded.ports import choose_port
from tests.eventually import eventually
from tests.stack import ROOT

TOLD_PORT = "9000"  # of the receiver; here it may be taken
PAGE = (ROOT / "docs" / "webhook-tutorial.md").read_text(encoding="utf-8")
FILES = {"tidy.json": '"stages"', "trigger.json": '"scheme"', "receiver.py": "HTTPServer",
         "event.json": '"message": "order'}  # fmt: skip
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
UP = "apwa up"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with the files of the page, in which its stack runs."""
    port = str(choose_port(None))
    for name, mark in FILES.items():
        [content] = [text for kind, text in BLOCK.findall(PAGE) if kind != "sh" and mark in text]
        (tmp_path / name).write_text(content.replace(TOLD_PORT, port), encoding="utf-8")
    with (tmp_path / "up.log").open("wb") as log:
        stack = subprocess.Popen(UP.split(), cwd=tmp_path, env=environ(), stdout=log, stderr=log)
    try:
        eventually((tmp_path / ".apwa" / "stack.json").exists, within=90)
        yield tmp_path
    finally:
        stack.send_signal(signal.SIGINT)
        assert stack.wait(60) == 0


def environ() -> dict[str, str]:
    """The environment of the page's terminals: the set-up put `apwa` on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    python_path = os.pathsep.join([str(ROOT), str(ROOT / "clients" / "python")])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("APWA_")}
    return {**kept, "PATH": path, "PYTHONPATH": python_path}


def test_every_command_of_the_page_does_what_it_says(folder: Path) -> None:
    # given the page's commands; the set-up and `apwa up` were run
    first, *rest = [text for kind, text in BLOCK.findall(PAGE) if kind == "sh"]
    assert first.splitlines()[-1] == UP
    script = "set -e\ntrap 'kill %1' EXIT\n" + "\n".join(rest)

    # when they are typed one after the other
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=90,
    )

    # then all went well, one job came of two posts, and its end was heard of once
    assert ran.returncode == 0, (ran.stdout[-2000:], ran.stderr[-3000:])
    [heard] = (folder / "heard.jsonl").read_text(encoding="utf-8").splitlines()
    event = json.loads(heard)
    assert event["type"] == "job.finished"
    assert event["data"]["job"]["status"] == "succeeded"
    assert event["data"]["job"]["labels"] == {"shop": "north"}
    [shown] = re.findall(r"`apwa jobs results` shows `(\{.*\})`", PAGE)
    [row] = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith('{"shop"')]
    assert {name: row[name] for name in json.loads(shown)} == json.loads(shown)
