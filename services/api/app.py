"""Puts the HTTP interface together; wiring only."""

import threading

from flask import Flask

from services.api import docs, problems, request_id, timed_input
from services.api.auth import UseNotes
from services.api.in_flight import InFlight
from services.api.routes import (
    control,
    descendants,
    health,
    job_parts,
    jobs,
    meta,
    records,
    results,
    tables,
)
from services.api.uploads import ApiRequest
from services.api.wired import Wired, attach
from shared.broker.app import make_app
from shared.broker.canary import Canary
from shared.broker.ring import Ringer
from shared.database.engine import Engine, connect
from shared.seams import arm
from shared.settings import Settings

STATEMENT_TIMEOUT_S = 30.0


def create_app(settings: Settings) -> Flask:
    """Return the WSGI application; nothing connects to a store before the first request."""
    arm(settings.faults)
    app = Flask(__name__, static_folder=None)
    app.request_class = ApiRequest
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    attach(app.extensions, _wire(settings))
    request_id.install(app)
    timed_input.install(app)
    problems.install(app)
    for part in (
        jobs,
        control,
        descendants,
        job_parts,
        results,
        records,
        tables,
        meta,
        health,
        docs,
    ):
        app.register_blueprint(part.blueprint)
    return app


def _wire(settings: Settings) -> Wired:
    engine = connect(
        settings.sqlalchemy_url,
        pool_size=settings.db_pool_size,
        application_name="apwa-api",
        statement_timeout_s=STATEMENT_TIMEOUT_S,
    )
    notes = UseNotes(engine)
    ringer = Ringer(make_app("api", settings.redis_url))
    return Wired(
        settings=settings,
        engine=engine,
        ring=ringer.ring,
        broker_answers=Canary(settings.redis_url).round_trip,
        note_use=notes.note,
        in_flight=InFlight(),
        waiters=threading.BoundedSemaphore(max(1, settings.api_threads // 2)),
        close=lambda: _close(engine, ringer, notes),
    )


def _close(engine: Engine, ringer: Ringer, notes: UseNotes) -> None:
    """Publish and write what waits, then let the database go."""
    ringer.close()
    notes.close()
    engine.dispose()
