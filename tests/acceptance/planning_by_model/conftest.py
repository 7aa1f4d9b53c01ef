"""One endpoint and one stack for all tests of planning; each test has them to itself."""

from collections.abc import Iterator

import pytest

from tests.acceptance.planning import alone
from tests.databases import Databases
from tests.fake_llm.process import FakeModel
from tests.faults.model_jobs import model_settings
from tests.stack import Stack


@pytest.fixture(scope="package")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    """The endpoint that plans and works."""
    with FakeModel(tmp_path_factory.mktemp("model")) as running:
        yield running


@pytest.fixture(scope="package")
def stack(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, model: FakeModel
) -> Iterator[Stack]:
    """Every service, one worker, with the endpoint as its only model."""
    with databases.lend() as url:
        extra = {**model_settings(model), "APWA_LEASE_S": "15"}  # calls are counted: see model_work
        made = Stack(tmp_path_factory.mktemp("planning"), url, extra=extra)
        yield made.start_all(workers=1)
        made.stop()


@pytest.fixture(autouse=True)
def _alone(stack: Stack, model: FakeModel) -> Iterator[None]:
    with alone(stack, model):
        yield
