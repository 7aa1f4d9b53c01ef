"""The generic door: every operation by its name."""

import json
from datetime import UTC, datetime

import httpx2
import pytest

from apwa_client import Client, Invalid, operations
from apwa_client.address import address_of
from services.api.operations import OPERATIONS
from tests.client.fake_api import FakeApi, problem, told


def test_the_table_has_every_operation_of_the_interface_and_no_other() -> None:
    known = {(one.name, one.method, one.path) for one in operations.OPERATIONS.values()}

    assert known == {(one.name, one.method, one.path) for one in OPERATIONS}


def test_a_request_carries_key_path_query_and_body() -> None:
    api = FakeApi(told({"version": 2}))

    answer = api.client().request(
        "put_plan", job_id="job_1", body={"plan": {}}, if_match='"abc"', query={"label.a": "b c"}
    )

    assert answer == {"version": 2}
    assert api.targets == ["PUT /v1/jobs/job_1/plan?label.a=b+c"]
    [sent] = api.requests
    assert sent.headers["Authorization"] == "Bearer apwa_key"
    assert sent.headers["If-Match"] == '"abc"'
    assert sent.headers["Content-Type"] == "application/json"
    assert json.loads(sent.content) == {"plan": {}}


def test_a_key_of_a_record_stays_one_part_of_the_path() -> None:
    api = FakeApi(told({}))

    api.client().request("get_record", job_id="job_1", key="a/b?c d", stage=None)

    assert api.targets == ["GET /v1/jobs/job_1/records/a%2Fb%3Fc%20d"]


def test_values_of_the_query_are_written_as_the_interface_reads_them() -> None:
    api = FakeApi(told({"items": [], "next_cursor": None}))
    moment = datetime(2026, 1, 2, tzinfo=UTC)

    api.client().request("list_jobs", created_after=moment, limit=3, q=None, status="failed")

    assert "created_after=2026-01-02T00%3A00%3A00%2B00%3A00&limit=3&status=failed" in api.targets[0]


def test_an_unknown_operation_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="did you mean get_job"):
        FakeApi(told({})).client().request("get_jobb", job_id="job_1")


@pytest.mark.parametrize("given", [{}, {"job_id": None}, {"job_id": ""}])
def test_a_missing_or_empty_id_is_refused_before_it_names_another_path(
    given: dict[str, str],
) -> None:
    api = FakeApi(told({}))

    with pytest.raises(ValueError, match=r"job_id|empty"):
        api.client().request("get_job", **given)

    assert api.requests == []


def test_a_list_is_read_page_by_page() -> None:
    api = FakeApi(
        told({"items": [1, 2], "next_cursor": "c 1"}), told({"items": [3], "next_cursor": None})
    )

    assert list(api.client().pages("list_jobs", limit=2)) == [1, 2, 3]
    assert api.targets == ["GET /v1/jobs?limit=2", "GET /v1/jobs?limit=2&cursor=c+1"]


def test_what_is_not_json_comes_as_bytes() -> None:
    api = FakeApi(httpx2.Response(200, content=b"PK", headers={"Content-Type": "application/zip"}))

    assert api.client().request("get_results", job_id="job_1") == b"PK"


def test_an_empty_answer_is_none() -> None:
    assert FakeApi(httpx2.Response(204)).client().request("delete_table", table_id="tbl_1") is None


def test_the_environment_names_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APWA_API_URL", "https://apwa.example/")
    monkeypatch.setenv("APWA_API_KEY", "apwa_k")

    with Client() as client:
        assert client.url == "https://apwa.example"


@pytest.mark.parametrize(
    ("url", "key"), [("", "k"), ("http://x", ""), ("ftp://x", "k"), ("x", "k")]
)
def test_an_address_that_is_none_is_refused(
    url: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APWA_API_URL", raising=False)
    monkeypatch.delenv("APWA_API_KEY", raising=False)

    with pytest.raises(ValueError):
        Client(url, key)


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("http://127.0.0.1:8080", False), ("http://localhost", False), ("http://[::1]:80", False),
        ("http://10.0.0.1", True), ("https://apwa.example", True),
    ],
)  # fmt: skip
def test_this_machine_is_never_asked_through_a_proxy(url: str, may: bool) -> None:
    assert address_of(url, "k").may_use_proxy == may


def test_a_refusal_of_a_stream_is_an_error_with_its_body() -> None:
    client = FakeApi(problem(422, "invalid")).client()

    with pytest.raises(Invalid, match="it is invalid"), client.stream("get_results", job_id="j"):
        pass
