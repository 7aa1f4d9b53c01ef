"""What clients hear while Postgres is away."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from services.api.app import create_app
from services.api.wired import wired_to
from services.cli.embedded.ports import choose_port
from shared.settings import Settings

KEY = {"Authorization": "Bearer apwa_" + "x" * 43}


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    nowhere = f"postgresql://apwa@127.0.0.1:{choose_port(None)}/apwa"
    app = create_app(replace(settings, database_url=nowhere))
    yield app.test_client()
    wired_to(app).close()


def test_requests_are_told_to_try_again(client: FlaskClient) -> None:
    answer = client.get("/v1/jobs", headers=KEY)
    assert answer.status_code == 503
    assert answer.content_type == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0


def test_the_process_lives_but_is_not_ready(client: FlaskClient) -> None:
    assert client.get("/livez").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    pointers = [error["pointer"] for error in answer.get_json(force=True)["errors"]]
    assert pointers == ["/database", "/migrations"]
