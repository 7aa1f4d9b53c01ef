"""Places at which a fault can be made to happen, to reproduce a race; nothing unless armed."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

SEAMS = frozenset(
    {
        "api_after_commit",  # a job is stored, its answer not sent
        "planner_before_commit",  # a plan is written, not visible
        "planner_mid_cut",  # some shards of a stage are cut
        "planner_before_publish",  # shards are marked as announced, their messages not sent
        "worker_after_call",  # a unit has its outcome, nothing of it is handed on
        "worker_before_commit",  # outcomes are written, not committed
        "worker_after_commit",  # outcomes are settled, their shard is not finished
        "collector_mid_seal",  # a part of an output table is written
        "collector_before_commit",  # a job's record is written, not committed
    }
)


@dataclass(slots=True)
class _Fault:
    """What happens at the `nth` pass of a seam."""

    act: Callable[[], None]
    nth: int
    passed: int = 0


_armed: dict[str, _Fault] = {}


def arm(faults: str) -> None:
    """Arm this process, as `worker_after_call:kill@3,planner_mid_cut:sleep=2`.

    `kill` and `stop` are signals to this process (SIGKILL, SIGSTOP), `sleep` takes seconds; `@N`
    is the pass it happens at, the first where silent. Raises ValueError.
    """
    _armed.clear()
    _armed.update(parse(faults))


def parse(faults: str) -> dict[str, _Fault]:
    """Return the faults by seam. Raises ValueError with a sentence."""
    found = {}
    for part in filter(None, (part.strip() for part in faults.split(","))):
        name, _, rest = part.partition(":")
        what, _, nth = rest.partition("@")
        if name not in SEAMS:
            raise ValueError(f"{name}: no such seam; there are {', '.join(sorted(SEAMS))}")
        if nth and not (nth.isdecimal() and int(nth)):
            raise ValueError(f"{part}: the pass is a whole number from 1")
        found[name] = _Fault(_act(what), int(nth or 1))
    return found


def reach(seam: str) -> None:
    """Pass a seam; what is armed for this pass happens here."""
    fault = _armed.get(seam)
    if fault is None:
        return
    fault.passed += 1
    if fault.passed == fault.nth:
        fault.act()


def _act(what: str) -> Callable[[], None]:
    verb, _, amount = what.partition("=")
    if verb == "sleep" and amount.replace(".", "", 1).isdecimal():
        return lambda: time.sleep(float(amount))
    signals = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
    if what in signals:
        return lambda: os.kill(os.getpid(), signals[what])
    raise ValueError(f"{what or 'nothing'}: a fault is kill, stop or sleep=SECONDS")
