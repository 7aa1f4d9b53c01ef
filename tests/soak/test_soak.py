"""A short seeded soak; `make soak` runs a long one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.embedded.datastores import Datastores
from tests.soak.run import AT_ONCE, soak


@pytest.fixture
def own_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datastores]:
    """Stores this test may crash."""
    made = Datastores(tmp_path_factory.mktemp("soaked"), durable=True)
    made.start_postgres()
    yield made
    made.stop()


def test_jobs_of_many_kinds_survive_random_faults(own_stores: Datastores, tmp_path: Path) -> None:
    report = soak(tmp_path, own_stores, seed=7, seconds=20, pause_s=2)
    assert report.problems == []
    assert len(report.faults) >= 3
    assert len(report.jobs) >= AT_ONCE, "as many kinds as jobs at once, for they take turns"
    assert report.units > 0
