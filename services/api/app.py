"""Puts the HTTP interface together; wiring only."""

import threading

from flask import Flask

from services.api import (
    allowed_methods,
    docs,
    metrics,
    problems,
    request_id,
    security_headers,
    timed_input,
    view_access,
)
from services.api.auth import UseNotes
from services.api.in_flight import InFlight
from services.api.metrics import Metrics
from services.api.open_streams import OpenStreams
from services.api.routes import (
    accounts,
    api_keys,
    batch_files,
    batches,
    bundle,
    control,
    deliveries,
    descendants,
    health,
    hooks,
    job_parts,
    jobs,
    meta,
    projects,
    records,
    results,
    subtasks,
    tables,
    triggers,
    watching,
    webhook_endpoints,
    workflows,
)
from services.api.routes import metrics as metrics_route
from services.api.uploads import ApiRequest
from services.api.wired import Wired, attach, wired_to
from shared.broker.app import make_app
from shared.broker.canary import Canary
from shared.broker.request_rates import RequestRates
from shared.broker.ring import Ringer
from shared.database.engine import Engine, connect
from shared.llm.state import EndpointStates
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
    security_headers.install(app)
    request_id.install(app)
    metrics.install(app, wired_to(app).metrics)
    view_access.install(app)
    timed_input.install(app)
    problems.install(app)
    allowed_methods.install(app)
    for part in (
        jobs,
        control,
        descendants,
        job_parts,
        subtasks,
        watching,
        bundle,
        results,
        records,
        tables,
        workflows,
        webhook_endpoints,
        deliveries,
        batch_files,
        batches,
        triggers,
        hooks,
        api_keys,
        projects,
        accounts,
        meta,
        health,
        metrics_route,
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
    rates, states = RequestRates(settings.redis_url), EndpointStates(settings.redis_url)
    return Wired(
        settings=settings,
        engine=engine,
        ring=ringer.ring,
        broker_answers=Canary(settings.redis_url).round_trip,
        note_use=notes.note,
        in_flight=InFlight(),
        waiters=threading.BoundedSemaphore(max(1, settings.api_threads // 2)),
        streams=OpenStreams(settings.api_streams),
        rates=rates,
        metrics=Metrics(engine, settings.metrics_cache_s),
        endpoint_states=states,
        close=lambda: _close(engine, ringer, notes, rates, states),
    )


def _close(
    engine: Engine, ringer: Ringer, notes: UseNotes, rates: RequestRates, states: EndpointStates
) -> None:
    """Publish and write what waits, then let the database go."""
    ringer.close()
    notes.close()
    rates.close()
    states.close()
    engine.dispose()
