"""Which answers count, and what of them is kept."""

import pytest

from services.notifier.judge import asked_delay_s, problem_of, shown
from shared.net.web_request import WebAnswer


def came(status: int, body: bytes = b"", **headers: str) -> WebAnswer:
    return WebAnswer("http://x.example/", status, headers, body)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_success(status: int) -> None:
    assert problem_of(came(status)) is None


@pytest.mark.parametrize(
    ("status", "code"),
    [(301, "redirect"), (307, "redirect"), (400, "bad_status"), (404, "bad_status"),
     (410, "gone"), (500, "bad_status"), (599, "bad_status"), (199, "bad_status")],
)  # fmt: skip
def test_everything_else_is_none(status: int, code: str) -> None:
    problem = problem_of(came(status))

    assert problem is not None
    assert problem["code"] == code
    assert str(status) in problem["detail"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry-after": "7"}, 7.0), ({}, None), ({"retry-after": "soon"}, None),
     ({"retry-after": "Thu, 01 Jan 2032 00:01:00 GMT", "date": "Thu, 01 Jan 2032 00:00:00 GMT"},
      60.0)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    answer = WebAnswer("http://x.example/", 503, headers, b"")

    assert asked_delay_s(answer) == seconds


def test_what_is_kept_is_text_postgres_can_hold() -> None:
    kept = shown(came(500, b"\xff\x00ok", x="a\udcffb\0"))

    assert kept["body"] == "\ufffd\ufffdok"
    assert kept["headers"] == {"x": "a?b\ufffd"}


def test_headers_are_kept_in_bounded_size() -> None:
    headers = {f"x-{n}": "v" * 10_000 for n in range(200)}

    kept = shown(WebAnswer("http://x.example/", 200, headers, b""))

    assert len(kept["headers"]) == 50
    assert {len(value) for value in kept["headers"].values()} == {500}
