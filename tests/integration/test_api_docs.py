"""The OpenAPI document, the page that shows it, and whether both tell the truth."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import Engine

from services.api.openapi import document
from services.api.operations import OPERATIONS
from services.api.routes.jobs import STATUSES
from shared.settings import Settings
from tests.integration.api_door import Api


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


def test_every_route_is_documented_and_nothing_else(api: Api) -> None:
    hidden = {"docs.openapi", "docs.page", "docs.start", "docs.file"}
    routes = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in api.app.url_map.iter_rules()
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS") and rule.endpoint not in hidden
    }
    assert routes == {(one.method, one.path) for one in OPERATIONS}


def test_the_scope_a_route_needs_is_the_documented_one(api: Api) -> None:
    views = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule): rule
        for rule in api.app.url_map.iter_rules()
    }
    for operation in OPERATIONS:
        rules = [
            rule
            for rule in api.app.url_map.iter_rules()
            if operation.method in (rule.methods or ()) and rule.rule == views[operation.path].rule
        ]
        view = api.app.view_functions[rules[0].endpoint]
        assert getattr(view, "needs_scope", "none") == (
            "none" if operation.public else operation.scope
        ), operation.name


def test_the_document_says_which_states_a_job_has() -> None:
    parameters = document()["paths"]["/v1/jobs"]["get"]["parameters"]
    [status] = [one for one in parameters if one["name"] == "status"]
    assert tuple(status["schema"]["enum"]) == STATUSES


def test_answers_have_the_documented_shape(api: Api) -> None:
    job = api.submit()
    table = api.post("/v1/tables?key=a", data=b"a\n1\n", content_type="text/csv").get_json()
    paths: dict[str, Any] = {
        "/v1/jobs": "/v1/jobs",
        "/v1/jobs/{job_id}": f"/v1/jobs/{job['id']}",
        "/v1/jobs/{job_id}/stages": f"/v1/jobs/{job['id']}/stages",
        "/v1/jobs/{job_id}/events": f"/v1/jobs/{job['id']}/events",
        "/v1/jobs/{job_id}/results": f"/v1/jobs/{job['id']}/results",
        "/v1/tables": "/v1/tables",
        "/v1/tables/{table_id}": f"/v1/tables/{table['id']}",
        "/v1/capabilities": "/v1/capabilities",
        "/version": "/version",
    }
    for path, concrete in paths.items():
        answer = api.get(concrete)
        assert answer.status_code == 200, answer.text
        check(answer.get_json(), document()["paths"][path]["get"]["responses"]["200"])
    check(
        api.get("/nothing").get_json(), document()["paths"]["/livez"]["get"]["responses"]["default"]
    )


def check(value: Any, response: dict[str, Any]) -> None:
    """Hold a body to the schema of its response; fields nobody documented are refused too."""
    [content] = [one for kind, one in response["content"].items() if "json" in kind][:1]
    schema = {**closed(content["schema"]), "components": closed(document()["components"])}
    Draft202012Validator(schema).validate(value)


def closed(value: Any) -> Any:
    if isinstance(value, list):
        return [closed(item) for item in value]
    if not isinstance(value, dict):
        return value
    tight = {name: closed(item) for name, item in value.items()}
    if isinstance(value.get("properties"), dict) and value.get("type") == "object":
        tight.setdefault("additionalProperties", False)
    return tight


def test_the_page_needs_no_other_host(api: Api) -> None:
    page = api.client.get("/docs")
    assert page.status_code == 200
    assert "//" not in page.text.replace("<!doctype", "")
    for name in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        found = api.client.get(name)
        assert found.status_code == 200, name
        found.close()
    assert api.client.get("/openapi.json").get_json()["openapi"] == "3.1.0"


def test_files_beside_the_pages_are_not_served(api: Api) -> None:
    assert api.client.get("/docs/files/../__init__.py").status_code == 404
    assert api.client.get("/docs/files/%2e%2e/__init__.py").status_code == 404
