"""One aimock and one stack for each module; aimock is empty at the start of every test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.aimock.server import KEY, Aimock
from tests.stack import Stack


@pytest.fixture(scope="module")
def running_aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aimock]:
    running = Aimock(tmp_path_factory.mktemp("aimock"))
    yield running
    running.stop()


@pytest.fixture
def aimock(running_aimock: Aimock) -> Aimock:
    running_aimock.reset()
    return running_aimock


@pytest.fixture(scope="module")
def make_mocked(
    make_module_stack: Callable[..., Stack], running_aimock: Aimock
) -> Callable[..., Stack]:
    """A function that starts all services with aimock as their model."""

    def start(**extra: Any) -> Stack:
        model = {
            "OPENAI_BASE_URL": running_aimock.base_url,
            "OPENAI_API_KEY": KEY,
            "APWA_MODEL": "mocked",
        }
        return make_module_stack(**{**model, **extra}).start_all(workers=2)

    return start


@pytest.fixture(scope="module")
def stack(make_mocked: Callable[..., Stack]) -> Stack:
    """Services with the settings of most tests; `limited` names a model with limits of its own."""
    return make_mocked(APWA_ENDPOINTS='{"limited": {"model": "limited"}}')
