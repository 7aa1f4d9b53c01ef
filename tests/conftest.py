"""Real stores for every test that wants them, started once per session."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine

from services.cli.embedded.datastores import Datastores
from shared.database.engine import connect
from shared.settings import Settings, load_settings
from tests.databases import Databases
from tests.stack import Stack

os.environ.pop("APWA_DATABASE_URL", None)
os.environ.pop("APWA_REDIS_URL", None)


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datastores]:
    """An embedded PostgreSQL and Valkey of the test session."""
    found = Datastores(tmp_path_factory.mktemp("stores"), durable=False)
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="session")
def databases(stores: Datastores) -> Databases:
    """Migrated databases on the session's server."""
    return Databases(stores)


@pytest.fixture
def settings(stores: Datastores, databases: Databases) -> Iterator[Settings]:
    """Settings that point at an empty, migrated database."""
    with databases.lend() as url:
        yield load_settings({"APWA_DATABASE_URL": url, "APWA_REDIS_URL": stores.redis_url})


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    """An engine on an empty, migrated database."""
    engine = connect(settings.sqlalchemy_url, pool_size=5, application_name="apwa-tests")
    yield engine
    engine.dispose()


@pytest.fixture
def make_stack(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Stack]]:
    """A function that makes stacks with their own database and Valkey, ended with the test."""
    with ExitStack() as made:
        yield partial(_make_stack, made, databases, tmp_path_factory)


@pytest.fixture(scope="module")
def make_module_stack(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Stack]]:
    """The same, for stacks that all tests of a module use."""
    with ExitStack() as made:
        yield partial(_make_stack, made, databases, tmp_path_factory)


def _make_stack(
    made: ExitStack, databases: Databases, folders: pytest.TempPathFactory, **extra: Any
) -> Stack:
    stack = Stack(folders.mktemp("stack"), made.enter_context(databases.lend()), extra=extra)
    made.callback(stack.stop)
    return stack
