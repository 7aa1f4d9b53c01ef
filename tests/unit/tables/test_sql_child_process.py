"""A child ends with its parent, and what a killed parent left on disk is swept."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from shared.tables import scratch
from shared.tables.scratch import scratch_directory
from tests.own_children import own_children

ROOT = Path(__file__).parents[3]
PARENT = """
    import sys, threading
    from pathlib import Path
    from shared.tables.sql import SqlLimits, run_select
    query = "SELECT count(*) AS n FROM range(1000000) a, range(1000000) b"
    list(run_select(query, {}, SqlLimits(wall_s=60), Path(sys.argv[1])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems end the child by its CPU limit")
def test_a_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path)], cwd=ROOT
    )
    child = _first_child(parent.pid)

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    gone, alive = psutil.wait_procs([child], timeout=20)
    assert gone == [child]
    assert alive == []


def test_the_child_sees_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.tables.child_process import ChildLimits, start_child

    monkeypatch.setenv("APWA_DATABASE_URL", "postgresql://user:secret@db/apwa")
    header = {"run": False, "query": "SELECT 1 AS n", "inputs": {}, "memory_bytes": 1 << 26}
    header |= {"disk_bytes": 0, "scratch": ""}

    before = set(own_children())  # of whatever ran in this process
    with start_child("shared.tables.sql_child", header, ChildLimits(1 << 30, 30)) as child:
        (process,) = set(own_children()) - before
        environment = process.environ()
        child.close_input()
        child.read()

    assert "APWA_DATABASE_URL" not in environment


def test_a_scratch_directory_is_gone_at_the_end(tmp_path: Path) -> None:
    with scratch_directory(tmp_path) as path:
        (path / "spilled").write_text("rows")

    assert list(tmp_path.iterdir()) == []


def test_an_abandoned_scratch_directory_is_swept_and_a_used_one_is_not(tmp_path: Path) -> None:
    with scratch_directory(tmp_path) as used:
        abandoned = tmp_path / used.name.replace(used.name[-4:], "0000")
        abandoned.mkdir()
        (abandoned / "spilled").write_text("rows")
        for path in (used, abandoned):
            os.utime(path, (0, 0))

        with scratch_directory(tmp_path):
            assert used.exists()
            assert not abandoned.exists()


def test_a_young_scratch_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / f"{scratch.PREFIX}young").mkdir()

    with scratch_directory(tmp_path):
        pass

    assert [path.name for path in tmp_path.iterdir()] == [f"{scratch.PREFIX}young"]


def _first_child(pid: int) -> psutil.Process:
    parent = psutil.Process(pid)
    for _ in range(2_000):
        for child in parent.children():
            if "shared.tables.sql_child" in child.cmdline():
                return child
        psutil.wait_procs([parent], timeout=0.01)
    raise AssertionError("the child never started")
