"""`Allow` says what the document says."""

import re
from collections import defaultdict
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from services.api.operations import OPERATIONS
from shared.settings import Settings
from tests.integration.api_door import Api


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def test_allow_names_the_documented_methods_of_every_path(api: Api) -> None:
    documented = defaultdict(set)
    for operation in OPERATIONS:
        documented[operation.path].add(operation.method)
    told = {path: _told(api, "OPTIONS", path) for path in documented}
    assert told == documented


def test_a_refused_method_is_told_the_same(api: Api) -> None:
    answer = api.client.delete(_one("/v1/jobs/{job_id}/records/end"))
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "OPTIONS, POST"
    assert answer.get_json()["code"] == "method_not_allowed"


def _told(api: Api, method: str, path: str) -> set[str]:
    answer = api.client.open(_one(path), method=method)
    return set(answer.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"}


def _one(path: str) -> str:
    return re.sub(r"{\w+}", "1", path)
