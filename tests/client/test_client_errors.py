"""Problems become typed errors that carry what the API said."""

import pytest

import apwa_client
from apwa_client.errors import ApiError, error_of


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, apwa_client.Invalid), (401, apwa_client.Unauthorized), (403, apwa_client.Forbidden),
        (404, apwa_client.NotFound), (405, ApiError), (409, apwa_client.Conflict),
        (410, apwa_client.Gone), (412, apwa_client.Stale), (413, apwa_client.TooLarge),
        (415, apwa_client.Invalid), (422, apwa_client.Invalid), (428, apwa_client.Stale),
        (429, apwa_client.RateLimited), (500, apwa_client.ServerError),
        (503, apwa_client.ServerError), (507, apwa_client.ServerError),
    ],
)  # fmt: skip
def test_each_status_has_its_kind(status: int, kind: type[ApiError]) -> None:
    assert type(error_of(status, {}, b"{}")) is kind


def test_an_error_carries_code_detail_request_id_and_bad_fields() -> None:
    body = (
        b'{"status": 422, "code": "invalid", "detail": "Not valid.", "request_id": "req_9",'
        b'"errors": [{"pointer": "/goal", "detail": "Too long."}]}'
    )

    error = error_of(422, {}, body)

    assert (error.status, error.code, error.request_id) == (422, "invalid", "req_9")
    assert error.problems == [apwa_client.errors.Problem("/goal", "Too long.")]
    assert str(error) == "422 invalid: Not valid.\n  /goal: Too long."


@pytest.mark.parametrize("content", [b"<html>Bad gateway</html>", b"", b"[1]", b"\xff"])
def test_an_error_of_a_proxy_is_an_error_too(content: bytes) -> None:
    error = error_of(502, {"x-request-id": "req_2"}, content)

    assert (error.code, error.request_id, error.problems) == ("http_502", "req_2", [])


def test_a_key_is_not_shown() -> None:
    client = apwa_client.Client("http://api.test", "apwa_secret")

    assert "apwa_secret" not in repr(client._transport.address)
    client.close()
