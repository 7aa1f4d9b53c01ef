"""Deliveries and triggers as they are stored: what two requests at the same moment come to."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from shared.actions.actor import Actor
from shared.actions.job_request import WebhookRequest
from shared.actions.keys import ensure_default_project
from shared.actions.receive_hook import find_hook, receive_hook
from shared.actions.refusals import Invalid, NotFound
from shared.actions.triggers import create_trigger, delete_trigger
from shared.actions.webhook_endpoints import create_endpoint
from shared.database.triggers import TriggerFacts
from shared.secret_box import SecretBox
from shared.settings import Settings
from tests.eventually import eventually
from tests.integration.webhook_desk import desk_settings

SECRET = "a token that only the sender has"
FACTS = TriggerFacts(
    "orders", True, "token", {"header": "x-token"}, [], {"job": {}}, {}, None, None
)  # fmt: skip
Make = Callable[[Callable[..., None]], Any]


@pytest.fixture
def actor(database: Engine) -> Actor:
    with database.begin() as tx:
        return Actor(ensure_default_project(tx), None, frozenset({"admin"}))


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def test_a_post_to_a_trigger_that_is_deleted_meanwhile_is_not_found(
    database: Engine, settings: Settings, actor: Actor
) -> None:
    box = SecretBox(desk_settings(settings).secret_keys)
    made = create_trigger(database, box, actor, FACTS, SECRET, lambda *_: None)
    with database.connect() as connection:
        found = find_hook(connection, made.id)

    # when it is deleted between the look-up and the storing
    delete_trigger(database, actor, made.id)

    with pytest.raises(NotFound):
        receive_hook(database, box, found, {"x-token": SECRET}, b"{}", lambda _: {})


@pytest.fixture(params=["trigger", "webhook endpoint"])
def make(
    request: pytest.FixtureRequest, database: Engine, settings: Settings, actor: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> Make:  # fmt: skip
    """Make one of what a project may have one of."""
    monkeypatch.setattr("shared.actions.triggers.MOST_TRIGGERS", 1)
    monkeypatch.setattr("shared.actions.webhook_endpoints.MOST_ENDPOINTS", 1)
    known = replace(desk_settings(settings), webhook_loopback=True)
    if request.param == "trigger":
        box = SecretBox(known.secret_keys)
        return lambda done: create_trigger(database, box, actor, FACTS, SECRET, done)
    wanted = WebhookRequest("https://127.0.0.1/in", ("job.finished",))
    return lambda done: create_endpoint(database, known, actor, wanted, "", done)


def test_two_that_are_made_at_once_are_not_both_the_last_one(
    database: Engine, make: Make, beside: ThreadPoolExecutor
) -> None:
    second: list[Future[Any]] = []

    def before_commit(*_: Any) -> None:  # the first is written, and seen by nobody yet
        second.append(beside.submit(make, lambda *_: None))
        eventually(lambda: second[0].done() or someone_waits(database))

    make(before_commit)
    with pytest.raises(Invalid, match="at most 1"):
        second[0].result(30)


def someone_waits(database: Engine) -> bool:
    with database.connect() as connection:
        found = connection.execute(
            text("""SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock'""")
        )
        return bool(found.scalar_one())
