"""Migrated databases for tests: copies of one template, dropped when their test has ended.

A database that stays costs until the end of the run: autovacuum visits every one in turn.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from services.cli.embedded.datastores import Datastores
from services.cli.migrate import migrate
from shared.settings import load_settings


class Databases:
    """Hands out addresses of databases on one server; the schema is migrated once."""

    def __init__(self, stores: Datastores) -> None:
        self._stores = stores
        self._template: str | None = None

    @contextmanager
    def lend(self) -> Iterator[str]:
        """Yield the address of a new, migrated database, which is gone afterwards."""
        url = self.make()
        yield url
        self.drop(url)

    def make(self) -> str:
        """Return the address of a new, migrated database."""
        url = self._stores.postgres.url(f"apwa_{secrets.token_hex(6)}")
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._run(create.format(_name(url), self._migrated()))
        return url

    def drop(self, url: str) -> None:
        """Remove a database and end the sessions in it."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(_name(url)))

    def _migrated(self) -> sql.Identifier:
        if self._template is None:
            url = self._stores.create_database()
            redis_url = self._stores.redis_url
            migrate(load_settings({"APWA_DATABASE_URL": url, "APWA_REDIS_URL": redis_url}))
            self._template = url
        return _name(self._template)

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._stores.postgres.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


def _name(url: str) -> sql.Identifier:
    return sql.Identifier(urlsplit(url).path[1:])
