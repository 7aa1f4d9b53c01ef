"""Every operation on an object of a project, as the document lists them: who may, and who may not.

Another project's key gets the answer an unknown id gets, to the letter; a key without the scope is
told so; no key is no key.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from services.api.operations import OPERATIONS
from services.api.operations.parts import Operation
from shared.actions.actor import SCOPES
from shared.settings import Settings
from tests.integration.api_door import Api, problem
from tests.integration.api_objects import (
    MAKERS,
    OBJECTS,
    Objects,
    nowhere,
    places,
    real_path,
    sound,
    whole_api,
)


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = whole_api(settings, database)
    yield made
    made.close()


@pytest.fixture
def objects(api: Api) -> Objects:
    return Objects(api)


def send(api: Api, operation: Operation, path: str, secret: str | None) -> TestResponse:
    headers = {"If-Match": "*"} if operation.if_match else {}
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    return api.client.open(path, method=operation.method, headers=headers, **sound(operation))


def told(answer: TestResponse) -> dict[str, Any]:
    """What a body says but for the number of its request."""
    return {name: value for name, value in answer.get_json().items() if name != "request_id"}


def test_every_object_of_the_document_can_be_made_here() -> None:
    kinds = {kind for operation in OBJECTS for kind, _ in places(operation.path)}
    assert kinds == set(MAKERS)


def test_no_key_is_unauthorized_everywhere(api: Api, subtests: pytest.Subtests) -> None:
    for operation in OPERATIONS:
        if not operation.public:
            with subtests.test(operation.name):
                problem(send(api, operation, nowhere(operation), None), 401, "unauthorized")


def test_a_key_without_the_scope_is_refused_everywhere(
    api: Api, objects: Objects, subtests: pytest.Subtests
) -> None:
    for operation in OPERATIONS:
        if operation.scope is None:
            continue
        rest = tuple(one for one in SCOPES if one not in {operation.scope, "admin"})
        with subtests.test(operation.name):
            known = operation in OBJECTS
            path = real_path(api, objects, operation) if known else nowhere(operation)
            problem(send(api, operation, path, api.key_with(*rest)), 403, "missing_scope")


def test_another_projects_object_is_as_unknown_as_one_that_never_was(
    api: Api, objects: Objects, subtests: pytest.Subtests
) -> None:
    for operation in OBJECTS:
        with subtests.test(operation.name):
            theirs = send(api, operation, real_path(api, objects, operation), api.other)
            problem(theirs, 404, "not_found")
            never = send(api, operation, nowhere(operation), api.key)
            problem(never, 404, "not_found")
            assert told(theirs) == told(never)
    # and nothing befell it
    with api.database.connect() as connection:
        ended = "SELECT count(*) FROM jobs WHERE status IN ('cancelled', 'paused')"
        assert connection.execute(text(ended)).scalar_one() == 0
