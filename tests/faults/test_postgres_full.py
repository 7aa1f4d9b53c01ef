"""Postgres finds no room on its disk: reads go on, writers hear 507, and work waits unharmed."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from services.cli.embedded.datastores import Datastores
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.model_jobs import model_settings
from tests.faults.postgres_load import Load, assert_nothing_lost, busy, idle
from tests.stack import Stack

pytestmark = pytest.mark.long

DISK = "80m"
WRITTEN = ("jobs", "tables", "table_chunks", "stages", "shards", "results", "attempts", "events")
LOST = "SELECT count(*) FROM shard_deliveries WHERE ending = 'lost'"
Filled = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A small disk of its own; None where this process may not mount one."""
    folder = tmp_path_factory.mktemp("disk")
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=711", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(words, check=False).returncode == 0
    yield folder if mounted else None
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def own_stores(disk: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datastores]:
    made = Datastores(tmp_path_factory.mktemp("own-stores"), durable=False)
    made.start_postgres()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def started_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    folder = tmp_path_factory.mktemp("model")
    with FakeModel(folder, latency_ms={"uniform": [100, 500]}) as made:
        yield made


@pytest.fixture(scope="module")
def stack(
    own_stores: Datastores, started_model: FakeModel, disk: Path | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:  # fmt: skip
    url = own_stores.create_database()
    if disk is not None:
        move_to(disk, own_stores, url)
    extra = {"APWA_SHARD_SIZE": "10", "APWA_LOOP_CONCURRENCY": "8", "APWA_SETTLE_BATCH": "5"}
    folder = tmp_path_factory.mktemp("stack")
    made = Stack(folder, url, {**model_settings(started_model), **extra})
    yield made.start_all(workers=2)
    made.stop()


@pytest.fixture
def model(started_model: FakeModel) -> FakeModel:
    started_model.forget()
    return started_model


def test_a_full_disk_stops_writers_alone_and_ends_without_help(
    stack: Stack, model: FakeModel, disk: Path | None
) -> None:
    if disk is None:
        pytest.skip("a disk of its own needs the right to mount one")
    tell_and_check(stack, model, Load(stack, "disk", under_way=3), lambda: filler(disk), "disk")


def test_no_room_for_any_row_stops_writers_alone_and_ends_without_help(
    stack: Stack, model: FakeModel
) -> None:
    load = Load(stack, "rows", under_way=3)
    tell_and_check(stack, model, load, lambda: no_rows(stack), "rows refused")


def tell_and_check(stack: Stack, model: FakeModel, load: Load, filled: Filled, what: str) -> None:
    # given work under way
    lost_before = stack.scalar(LOST)
    eventually(lambda: len(load.jobs) >= load.under_way, within=30)
    eventually(busy(model), within=30, every=0.01)

    # when there is no room left
    with filled():
        # then who writes is told so, who reads is not
        load.under_way *= 2
        eventually(lambda: load.answers[507] >= 3, within=30)
        first = next(iter(load.jobs.values())).copy().pop()
        for path in ("/v1/jobs", f"/v1/jobs/{first}", f"/v1/jobs/{first}/events"):
            read = load.ask("GET", path)
            assert read is not None
            assert read.status == 200, path

        # and answers of the model come in that can be written nowhere
        eventually(idle(model), within=30)

    # then all goes on once there is room: nothing was lost, given up, or paid for twice
    again = assert_nothing_lost(load, model, load.end())
    print(
        f"\n{what}: jobs {len(load.jobs)}, units {len(load.jobs) * load.rows}, calls paid again "
        f"{again}, answers {dict(load.answers)}"
    )
    assert {answer.json["code"] for answer in load.full} == {"storage_full"}
    assert again == 0
    assert stack.scalar(LOST) == lost_before


def move_to(disk: Path, stores: Datastores, url: str) -> None:
    """Put the database onto a disk."""
    owner = (stores.folder / "postgres" / "cluster").stat()
    space = disk / "space"
    space.mkdir(mode=0o700)
    os.chown(space, owner.st_uid, owner.st_gid)
    with psycopg.connect(stores.postgres.url("postgres"), autocommit=True) as superuser:
        superuser.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
        superuser.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} SET TABLESPACE small")


@contextmanager
def filler(disk: Path) -> Iterator[None]:
    """Leave no byte free on the disk."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        path.unlink()


@contextmanager
def no_rows(stack: Stack) -> Iterator[None]:
    """Refuse every new row as Postgres does when its disk is full."""
    stack.rows(
        """CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"""
    )
    for table in WRITTEN:
        stack.rows(
            f"CREATE TRIGGER no_room BEFORE INSERT ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION no_room()"
        )
    try:
        yield
    finally:
        stack.rows("DROP FUNCTION no_room() CASCADE")
