"""What the routes share in one process: settings, database, doorbell."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from services.api.in_flight import InFlight
from services.api.metrics import Metrics
from services.api.open_streams import OpenStreams
from shared.broker.request_rates import RequestRates
from shared.broker.ring import Message
from shared.database.engine import Engine
from shared.llm.state import EndpointStates
from shared.settings import Settings

_NAME = "apwa"


@dataclass(frozen=True, slots=True)
class Wired:
    """Made once by `app.create_app`."""

    settings: Settings
    engine: Engine
    ring: Callable[[Message], None]  # after commit; never blocks
    broker_answers: Callable[[], bool]  # a round trip, bounded in time
    note_use: Callable[[str], None]  # of a key; never blocks
    in_flight: InFlight
    waiters: threading.BoundedSemaphore  # long polls that may hold a thread at once
    streams: OpenStreams  # event streams, each with a thread of its own
    rates: RequestRates  # how often keys and projects ask; never blocks
    metrics: Metrics
    endpoint_states: EndpointStates
    close: Callable[[], None]  # at the end of the process


def attach(extensions: dict[str, object], wired: Wired) -> None:
    """Keep what is wired with the application."""
    extensions[_NAME] = wired


def wired_to(app: Flask) -> Wired:
    """Return what an application was wired with."""
    return cast("Wired", app.extensions[_NAME])


def wired() -> Wired:
    """Return what the current application was wired with."""
    return cast("Wired", current_app.extensions[_NAME])
