"""Receivers of webhooks over HTTP: made, changed, tested, rotated, and never another project's."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text
from standardwebhooks import Webhook
from typer.testing import CliRunner

from services.api.openapi import document
from services.cli.app import app as command_line
from services.cli.exits import CommandError
from shared.actions.renew_secrets import renew_secrets
from shared.domain.webhook import EVENTS
from shared.secret_box import SecretBox, SecretUnreadable
from shared.settings import Settings
from tests.integration.api_door import Api, problem
from tests.integration.test_api_docs import check
from tests.integration.webhook_desk import Desk, desk_settings

PATH = "/v1/webhook-endpoints"
URL = "https://hooks.example/in"
UNKNOWN = "whe_" + "0" * 26


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(desk_settings(settings), database)
    yield made
    made.close()


@pytest.fixture
def desk(api: Api) -> Desk:
    return Desk(api.database, api.settings)


def made(api: Api, **more: Any) -> dict[str, Any]:
    answer = api.post(PATH, json={"url": URL, **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"{PATH}/{answer.get_json()['id']}"
    return dict(answer.get_json())


def audited(api: Api, object_id: str) -> list[str]:
    with api.database.connect() as connection:
        rows = connection.execute(
            text("SELECT action FROM audit_log WHERE object_id = :id ORDER BY id"),
            {"id": object_id},
        )
        return list(rows.scalars())


def documented(path: str, method: str, status: str = "200") -> Any:
    return document()["paths"][path][method]["responses"][status]


def test_an_endpoint_is_made_listed_changed_and_removed(api: Api) -> None:
    first = made(api, events=["job.finished"], description="to the shop")
    second = made(api)

    assert second["events"] == list(EVENTS)
    shown = {name: value for name, value in first.items() if name != "secret"}
    assert api.get(f"{PATH}/{first['id']}").get_json() == shown
    page = api.get(f"{PATH}?limit=1").get_json()
    assert [one["id"] for one in page["items"]] == [second["id"]]
    rest = api.get(f"{PATH}?limit=1&cursor={page['next_cursor']}").get_json()
    assert (rest["items"], rest["next_cursor"]) == ([shown], None)

    change = {"events": ["job.paused"], "url": f"{URL}/2", "enabled": False}
    changed = api.send("PATCH", f"{PATH}/{first['id']}", json=change).get_json()
    assert (changed["events"], changed["url"]) == (["job.paused"], f"{URL}/2")
    assert (changed["status"], changed["status_reason"]["kind"]) == ("disabled", "asked")
    assert changed["description"] == "to the shop"
    enabled = api.send("PATCH", f"{PATH}/{first['id']}", json={"enabled": True}).get_json()
    assert (enabled["status"], enabled["status_reason"]) == ("enabled", None)

    assert api.send("DELETE", f"{PATH}/{first['id']}").status_code == 204
    problem(api.get(f"{PATH}/{first['id']}"), 404, "not_found")
    verbs = ["create", "edit", "edit", "delete"]
    assert audited(api, first["id"]) == [f"webhook_endpoint.{verb}" for verb in verbs]


def test_answers_have_the_documented_shape(api: Api, desk: Desk) -> None:
    endpoint = made(api)
    one, dlv = f"{PATH}/{{endpoint_id}}", "/v1/deliveries/{delivery_id}"
    ping = api.post(f"{PATH}/{endpoint['id']}/test").get_json()
    desk.work()

    check(endpoint, documented(PATH, "post", "201"))
    check(api.get(PATH).get_json(), documented(PATH, "get"))
    check(api.get(f"{PATH}/{endpoint['id']}").get_json(), documented(one, "get"))
    check(ping, documented(f"{one}/test", "post", "202"))
    check(api.get("/v1/deliveries").get_json(), documented("/v1/deliveries", "get"))
    check(api.get(f"/v1/deliveries/{ping['id']}").get_json(), documented(dlv, "get"))
    check(api.get("/v1/webhook-secret").get_json(), documented("/v1/webhook-secret", "get"))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": URL, "events": []}, "/events"),
        ({"url": URL, "events": ["job.finished", "job.finished"]}, "/events"),
        ({"url": URL, "events": ["ping"]}, "/events/0"),
        ({"url": URL, "secret": "mine"}, "/secret"),
        ({"url": 7}, "/url"),
        ({"url": "https://x.example/\0"}, "/url"),
        ({"url": URL, "description": "d" * 501}, "/description"),
    ],
)
def test_bad_fields_are_pointed_at(api: Api, body: dict[str, Any], pointer: str) -> None:
    problem(api.post(PATH, json=body), 422, "invalid", pointer)
    assert api.get(PATH).get_json()["items"] == []


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9000/", "http://169.254.169.254/", "http://[::1]/", "http://2130706433/",
     "http://u:p@hooks.example/", "http://192.168.0.1/", "nonsense"],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused_naming_the_setting(api: Api, url: str) -> None:
    endpoint = made(api)

    for answer in (
        api.post(PATH, json={"url": url}),
        api.send("PATCH", f"{PATH}/{endpoint['id']}", json={"url": url}),
    ):
        refused = problem(answer, 422, "address_not_allowed", "/url")
        assert "APWA_ALLOW_NETWORKS" in refused["detail"]
    told = api.post("/v1/jobs", json={"goal": "x", "webhook": {"url": url}})
    problem(told, 422, "address_not_allowed", "/webhook/url")
    assert [one["url"] for one in api.get(PATH).get_json()["items"]] == [URL]


def test_without_keys_nothing_is_sealed_and_the_setting_is_named(
    settings: Settings, database: Engine
) -> None:
    api = Api(replace(settings, secret_keys=""), database)
    try:
        for answer in (
            api.post(PATH, json={"url": URL}),
            api.get("/v1/webhook-secret"),
            api.post("/v1/webhook-secret/rotate"),
            api.post("/v1/jobs", json={"goal": "x", "webhook": {"url": URL}}),
        ):
            refused = problem(answer, 503, "secrets_not_configured")
            assert "APWA_SECRET_KEYS" in refused["detail"]
        assert api.get("/v1/jobs").get_json()["items"] == []
    finally:
        api.close()


def test_a_secret_is_nowhere_in_the_open_and_a_replayed_answer_has_none(api: Api) -> None:
    headers = {"Idempotency-Key": "one"}

    first = api.post(PATH, json={"url": URL}, headers=headers).get_json()
    again = api.post(PATH, json={"url": URL}, headers=headers)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.get_json() == {**first, "secret": None}
    assert api.get(f"{PATH}/{first['id']}/secret").get_json()["secret"] == first["secret"]
    rotated = api.post(
        f"{PATH}/{first['id']}/rotate-secret", json={}, headers={"Idempotency-Key": "two"}
    ).get_json()
    project = api.get("/v1/webhook-secret").get_json()
    with api.database.connect() as connection:
        stored = json.dumps(
            [
                [str(value) for value in row]
                for table in ("webhook_endpoints", "webhook_secrets", "idempotency_keys",
                              "audit_log")
                for row in connection.execute(text(f"SELECT * FROM {table}"))  # noqa: S608
            ]
        )  # fmt: skip
    for secret in (first["secret"], rotated["secret"], project["secret"]):
        assert secret.startswith("whsec_")
        assert secret.removeprefix("whsec_") not in stored


def test_while_rotating_both_secrets_sign_and_then_one(api: Api, desk: Desk) -> None:
    endpoint = made(api)
    own = f"{PATH}/{endpoint['id']}"

    # when it is rotated with an overlap
    rotated = api.post(f"{own}/rotate-secret", json={"overlap_s": 60}).get_json()
    assert rotated["former_secret_until"] is not None
    api.post(f"{own}/test")
    desk.work()

    # then either secret verifies what is sent
    both = desk.sent[-1]
    assert len(both.headers["webhook-signature"].split(" ")) == 2
    for secret in (endpoint["secret"], rotated["secret"]):
        Webhook(secret).verify(both.body or b"", dict(both.headers))

    # and with no overlap only the new one
    last = api.post(f"{own}/rotate-secret", json={"overlap_s": 0}).get_json()
    api.post(f"{own}/test")
    desk.work()
    alone = desk.sent[-1]
    assert len(alone.headers["webhook-signature"].split(" ")) == 1
    Webhook(last["secret"]).verify(alone.body or b"", dict(alone.headers))


def test_every_secret_is_renewed_with_the_newest_key_or_none_is(api: Api) -> None:
    endpoint = made(api)
    api.post(f"{PATH}/{endpoint['id']}/rotate-secret", json={})
    project = api.get("/v1/webhook-secret").get_json()["secret"]
    newest, former = "n" * 32, api.settings.secret_keys

    with api.database.begin() as tx:
        assert sum(renew_secrets(tx, f"{newest},{former}").values()) == 3

    with api.database.connect() as connection:
        sealed = connection.execute(text("SELECT secret FROM webhook_secrets")).scalar_one()
    assert SecretBox(newest).open(sealed) == project
    with pytest.raises(SecretUnreadable), api.database.begin() as tx:
        renew_secrets(tx, former)
    problem(api.get("/v1/webhook-secret"), 503, "secrets_not_readable")


def test_the_command_renews_secrets_and_names_what_is_missing(api: Api) -> None:
    endpoint = made(api)
    newest, former = "n" * 32, api.settings.secret_keys
    known = {"APWA_DATABASE_URL": api.settings.database_url,
             "APWA_REDIS_URL": api.settings.redis_url}  # fmt: skip
    command = ["secrets", "renew", "--json"]

    done = CliRunner().invoke(
        command_line, command, env={**known, "APWA_SECRET_KEYS": f"{newest},{former}"}
    )
    lost = CliRunner().invoke(command_line, command, env={**known, "APWA_SECRET_KEYS": former})
    unset = CliRunner().invoke(command_line, command, env=known)

    assert done.exit_code == 0, done.exception
    with api.database.connect() as connection:
        sealed = connection.execute(text("SELECT secret FROM webhook_endpoints")).scalar_one()
    assert SecretBox(newest).open(sealed) == endpoint["secret"]
    for refused in (lost, unset):
        assert isinstance(refused.exception, CommandError)
        assert "APWA_SECRET_KEYS" in str(refused.exception)


def test_another_projects_endpoints_and_deliveries_do_not_exist(api: Api) -> None:
    endpoint = made(api)
    delivery = api.post(f"{PATH}/{endpoint['id']}/test").get_json()
    other = {"Authorization": f"Bearer {api.other}"}
    span = {"since": "2020-01-01T00:00:00Z"}

    for mine, unknown in (
        (f"{PATH}/{endpoint['id']}", f"{PATH}/{UNKNOWN}"),
        (f"/v1/deliveries/{delivery['id']}", "/v1/deliveries/dlv_" + "0" * 26),
    ):
        for method, path, body in (
            ("GET", "", None), ("PATCH", "", {"enabled": False}), ("DELETE", "", None),
            ("GET", "/secret", None), ("POST", "/rotate-secret", {}), ("POST", "/test", {}),
            ("POST", "/redeliver", span if "whe_" in mine else {}),
        ):  # fmt: skip
            answer = api.send(method, mine + path, json=body, headers=other)
            if answer.status_code == 405 or (answer.status_code == 404 and "dlv" in mine and path):
                continue
            told = problem(answer, 404, "not_found")
            same = problem(api.send(method, unknown + path, json=body), 404, "not_found")
            assert told["detail"] == same["detail"]
    listed = api.get(f"/v1/deliveries?endpoint={endpoint['id']}", headers=other)
    assert listed.get_json()["items"] == []
    assert api.get(f"{PATH}/{endpoint['id']}").get_json()["status"] == "enabled"


def test_a_project_has_a_bounded_number_of_endpoints(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.actions.webhook_endpoints.MOST_ENDPOINTS", 2)
    made(api)
    made(api)

    problem(api.post(PATH, json={"url": URL}), 422, "too_many_endpoints")
