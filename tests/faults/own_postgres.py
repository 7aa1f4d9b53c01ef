"""A Postgres of a test's own, to be crashed and frozen; what was committed survives it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from services.cli.embedded.datastores import Datastores


def crash(stores: Datastores) -> None:
    """End Postgres as a power cut would, its children with it; nothing listens afterwards."""
    os.kill(stores.postgres.process_id, signal.SIGQUIT)
    assert stores.postgres.process is not None
    assert stores.postgres.process.wait(time.monotonic() + 10)
    stores.postgres.process.kill_group()


@contextmanager
def frozen(stores: Datastores) -> Iterator[None]:
    """Stop Postgres and all its sessions where they are; connections stay open and silent."""
    postmaster = psutil.Process(stores.postgres.process_id)
    postmaster.suspend()  # first: it starts no further child
    children = postmaster.children(recursive=True)
    for child in children:
        child.suspend()
    try:
        yield
    finally:
        for one in (*children, postmaster):
            if one.is_running():
                one.resume()
