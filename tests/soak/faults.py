"""What befalls the stack of a soak: one seeded fault at a time, each mended within seconds."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable

from services.cli.embedded.datastores import Datastores
from tests.faults.own_postgres import crash
from tests.stack import Stack

Fault = Callable[["Faults"], str]
FROZEN_S = 5.0  # longer than a lease of the tests' stack


class Faults:
    """Draws a fault, makes it, mends it; `happened` counts them by name."""

    def __init__(self, stack: Stack, stores: Datastores, die: random.Random) -> None:
        self.stack, self.stores, self.die = stack, stores, die
        self.happened: dict[str, int] = {}

    def strike(self) -> str:
        """Make one fault and mend it; return its name."""
        name = self.die.choice(FAULTS)(self)
        self.happened[name] = self.happened.get(name, 0) + 1
        return name


def _kill(faults: Faults) -> str:
    role = faults.die.choice(["worker", "worker", "planner", "collector", "api"])
    faults.stack.kill(role, faults.die.randrange(len(faults.stack.processes[role])))
    faults.stack.start(role)
    return f"kill -9 {role}"


def _stop(faults: Faults) -> str:
    worker = faults.stack.processes["worker"].pop(0)
    os.kill(worker.pid, signal.SIGTERM)
    faults.stack.start("worker")
    worker.wait(20)  # raises for one that does not stop, which ends the soak
    return "SIGTERM worker"


def _freeze(faults: Faults) -> str:
    role = faults.die.choice(["worker", "planner", "collector"])
    pid = faults.stack.processes[role][0].pid
    os.kill(pid, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    os.kill(pid, signal.SIGCONT)
    return f"SIGSTOP {role}"


def _wipe_redis(faults: Faults) -> str:
    faults.stack.redis().flushall()
    return "FLUSHALL"


def _hang_redis(faults: Faults) -> str:
    pid = faults.stack.valkey.process_id
    os.kill(pid, signal.SIGSTOP)
    time.sleep(3)
    os.kill(pid, signal.SIGCONT)
    return "SIGSTOP Redis"


def _kill_redis(faults: Faults) -> str:
    valkey = faults.stack.valkey
    assert valkey.process is not None
    valkey.process.kill_group()
    shutil.rmtree(faults.stack.folder / "valkey")
    time.sleep(1)
    valkey.start(valkey.port)
    return "Redis restarted empty"


def _crash_postgres(faults: Faults) -> str:
    crash(faults.stores)
    faults.stores.start_postgres()
    return "Postgres crash-restarted"


FAULTS: list[Fault] = [
    _kill, _kill, _kill, _stop, _freeze, _wipe_redis, _hang_redis, _kill_redis, _crash_postgres,
]  # fmt: skip
