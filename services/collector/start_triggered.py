"""Works off what senders posted to triggers, until nothing is due."""

from collections.abc import Callable

from shared.actions.take_delivery import take_delivery
from shared.database.engine import Engine
from shared.settings import Settings

AT_ONCE = 200  # then the thread looks whether it is to stop


def start_triggered(engine: Engine, settings: Settings, ring_planner: Callable[[str], None]) -> int:
    """Make the jobs of stored deliveries, feed streams; return how many deliveries were worked."""
    for worked in range(AT_ONCE):
        if not take_delivery(engine, settings, ring_planner):
            return worked
    return AT_ONCE
