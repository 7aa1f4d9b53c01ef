"""Errors of the API end a command with a sentence for a person and a code for a script."""

import json
from typing import Any

import pytest

from apwa_client import ApiUnreachable
from apwa_client.errors import error_of
from services.cli.client import ApiClient, ApiRefusedError, ApiUnreachableError, translated
from services.cli.exits import CommandError, Exit


def refused(status: int, **problem: Any) -> ApiRefusedError:
    with pytest.raises(ApiRefusedError) as raised, translated():
        raise error_of(status, {}, json.dumps({"status": status, **problem}).encode())
    return raised.value


def test_a_refusal_tells_each_bad_field_once() -> None:
    errors = [
        {"pointer": "/goal", "detail": "Too long.", "code": "length"},
        {"pointer": "", "detail": "Not valid."},
    ]

    error = refused(422, detail="Not valid.", errors=errors)

    assert str(error) == "Not valid.\n  /goal: Too long. [length]"
    assert (error.code, error.status, error.problem["detail"]) == (Exit.REFUSED, 422, "Not valid.")


@pytest.mark.parametrize(("url", "key"), [("http://x:1", ""), ("x:1", "apwa_key")])
def test_an_address_or_key_that_is_none_ends_the_command_with_a_sentence(
    url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APWA_API_KEY", raising=False)

    with pytest.raises(CommandError, match=r"APWA_API_KEY|no address"):
        ApiClient(url, key)


def test_a_key_that_does_not_open_is_told_with_what_to_do() -> None:
    assert "APWA_API_KEY" in str(refused(401, detail="No valid key."))


def test_a_broken_api_is_told_with_the_request() -> None:
    error = refused(500, detail="Something went wrong.", request_id="req_1")

    assert error.code == Exit.FAILED
    assert "req_1" in str(error)


def test_an_api_that_is_not_there_is_told_with_its_address() -> None:
    lost = ApiUnreachable("http://x:1", ConnectionResetError(), sent=True)

    with pytest.raises(ApiUnreachableError, match="no API answers") as raised, translated():
        raise lost

    assert raised.value.code == Exit.UNREACHABLE
    assert "http://x:1 (ConnectionResetError)" in str(raised.value)
