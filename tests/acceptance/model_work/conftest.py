"""One endpoint, which writes down whole requests, and one stack for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.acceptance.planning import alone
from tests.databases import Databases
from tests.fake_llm.process import FakeModel
from tests.stack import Stack


@pytest.fixture(scope="package")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    """The endpoint of the workers."""
    with FakeModel(tmp_path_factory.mktemp("model"), keep_requests=True) as running:
        yield running


@pytest.fixture(scope="package")
def stack(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, model: FakeModel
) -> Iterator[Stack]:
    """Every service, two workers, with the endpoint as their only model."""
    extra = {
        "OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-test", "APWA_MODEL": "fake",
        "APWA_LEASE_S": "15",  # calls are counted: a slow machine must not lose a lease
    }  # fmt: skip
    with databases.lend() as url:
        made = Stack(tmp_path_factory.mktemp("work"), url, extra=extra)
        yield made.start_all(workers=2)
        made.stop()


@pytest.fixture(autouse=True)
def _alone(stack: Stack, model: FakeModel) -> Iterator[None]:
    with alone(stack, model):
        yield
