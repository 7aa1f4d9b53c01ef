"""One stack for all faults; each test finds it whole again."""

from collections.abc import Iterator

import pytest

from tests.databases import Databases
from tests.eventually import eventually
from tests.packages.install import own_package
from tests.stack import Stack

__all__ = ["own_package", "shared_stack", "stack"]

WHOLE = {"api": 1, "planner": 1, "collector": 1, "worker": 2}


@pytest.fixture(scope="package")
def shared_stack(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, own_package: str
) -> Iterator[Stack]:
    """A stack with the stranger's package, shards of ten units, and small chunks."""
    extra = {"APWA_SHARD_SIZE": "10", "APWA_CHUNK_BYTES": "1000"}
    with databases.lend() as url:
        made = Stack(tmp_path_factory.mktemp("faults"), url, extra=extra)
        made.environ["PYTHONPATH"] = own_package
        yield made
        made.stop()


@pytest.fixture
def stack(shared_stack: Stack) -> Stack:
    """The stack with every service alive once, and two workers, whatever the last test killed."""
    for role, count in WHOLE.items():
        alive = [one for one in shared_stack.processes.get(role, []) if one.poll() is None]
        shared_stack.processes[role] = alive
        while len(alive) > count:
            shared_stack.kill(role)
        shared_stack.start(role, count - len(alive))
    pids = [one.pid for one in shared_stack.processes["worker"]]
    eventually(shared_stack.is_ready, within=90)
    eventually(
        lambda: shared_stack.scalar("SELECT count(*) = 2 FROM workers WHERE pid = ANY(%s)", pids),
        within=30,
    )
    return shared_stack
