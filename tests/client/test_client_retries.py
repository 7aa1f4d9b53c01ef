"""A request is sent again where that is safe, always as the same request."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from apwa_client import ApiUnreachable, Conflict, RateLimited, Retries, ServerError
from apwa_client.errors import error_of
from tests.client.fake_api import FakeApi, job, problem, told

CUT = httpx2.ReadError("cut off")
NOBODY = httpx2.ConnectError("refused")


def test_a_post_that_is_repeated_keeps_its_idempotency_key() -> None:
    api = FakeApi(problem(503, "unavailable"), CUT, problem(429, "queue_full"), told(job(), 202))

    made = api.client().jobs.submit("Redact it", {"tickets": [{"id": 1}]})

    assert made.id == "job_1"
    assert len(api.requests) == 4
    assert len(set(api.sent("Idempotency-Key"))) == 1
    assert api.sent("Idempotency-Key")[0]
    assert len({request.content for request in api.requests}) == 1


def test_two_posts_have_two_idempotency_keys() -> None:
    api = FakeApi(told(job(), 202))
    client = api.client()

    client.jobs.submit("Redact it")
    client.jobs.submit("Redact it")

    first, second = api.sent("Idempotency-Key")
    assert first != second


def test_a_key_that_is_given_is_used() -> None:
    api = FakeApi(told(job(), 202))

    api.client().jobs.submit("Redact it", idempotency_key="order-7")

    assert api.sent("Idempotency-Key") == ["order-7"]


def test_the_async_twin_repeats_alike() -> None:
    api = FakeApi(problem(503, "unavailable"), CUT, told(job(), 202))

    async def submit() -> None:
        async with api.async_client() as client:
            await client.jobs.submit("Redact it", {"tickets": [{"id": 1}]})

    asyncio.run(submit())

    assert len(api.requests) == 3
    assert len(set(api.sent("Idempotency-Key"))) == 1
    assert len({request.content for request in api.requests}) == 1


def test_a_change_of_what_was_read_is_not_repeated_when_it_may_have_arrived() -> None:
    api = FakeApi(CUT)

    with pytest.raises(ApiUnreachable) as raised:
        api.client().request("edit_job", job_id="job_1", body={"priority": 1}, if_match='"1"')

    assert raised.value.sent
    assert len(api.requests) == 1


def test_a_change_that_never_left_is_sent_again() -> None:
    api = FakeApi(NOBODY, told(job()))

    api.client().request("edit_job", job_id="job_1", body={"priority": 1}, if_match='"1"')

    assert len(api.requests) == 2


def test_an_answer_of_our_own_first_try_is_waited_for() -> None:
    api = FakeApi(CUT, problem(409, "idempotency_in_flight"), told(job(), 202))

    assert api.client().jobs.submit("Redact it").id == "job_1"


def test_any_other_conflict_is_raised_at_once() -> None:
    api = FakeApi(problem(409, "wrong_state"))

    with pytest.raises(Conflict):
        api.client().request("pause_job", job_id="job_1")

    assert len(api.requests) == 1


def test_a_503_that_is_the_answer_is_not_asked_again() -> None:
    api = FakeApi(problem(503, "not_ready"))

    with pytest.raises(ServerError):
        api.client().service.ready()

    assert len(api.requests) == 1


def test_the_last_failure_is_raised_when_all_tries_are_used() -> None:
    api = FakeApi(NOBODY)

    with pytest.raises(ApiUnreachable, match="refused"):
        api.client().request("version")

    assert len(api.requests) == 4


def test_pauses_double_up_to_the_longest_with_jitter() -> None:
    rule = Retries(attempts=20, first_s=1, longest_s=10)
    failure = ApiUnreachable("http://x", CUT, sent=True)

    pauses = [rule.pause_s(failure, tried, repeatable=True) or 0 for tried in range(1, 8)]

    for pause, highest in zip(pauses, (1, 2, 4, 8, 10, 10, 10), strict=True):
        assert highest / 2 <= pause <= highest


def test_retry_after_is_waited_for_unless_it_is_longer_than_the_patience() -> None:
    rule = Retries(first_s=0.1, patience_s=30)
    soon = error_of(429, {"retry-after": "20"}, b"{}")
    late = error_of(429, {"retry-after": "31"}, b"{}")

    assert (rule.pause_s(soon, 1, repeatable=True) or 0) >= 20
    assert rule.pause_s(late, 1, repeatable=True) is None


def test_retry_after_may_be_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)

    found = error_of(429, {"retry-after": later}, b"{}").retry_after_s

    assert found is not None
    assert 80 < found <= 90
    assert error_of(429, {"retry-after": "soon"}, b"{}").retry_after_s is None
    assert error_of(429, {"retry-after": "\u00b2"}, b"{}").retry_after_s is None


@pytest.mark.parametrize(
    ("status", "again"), [(500, False), (501, False), (507, False), (504, True)]
)
def test_a_broken_server_is_asked_again_only_where_that_can_help(status: int, again: bool) -> None:
    failure = error_of(status, {}, b"{}")

    assert (Retries().pause_s(failure, 1, repeatable=True) is not None) == again


def test_a_gateway_that_lost_the_answer_is_not_asked_to_change_twice() -> None:
    assert Retries().pause_s(error_of(502, {}, b""), 1, repeatable=False) is None
    assert Retries().pause_s(error_of(503, {}, b""), 1, repeatable=False) is not None


def test_a_limit_that_stays_is_raised_with_its_code() -> None:
    api = FakeApi(problem(429, "budget_exhausted", Retry_After="3600"))

    with pytest.raises(RateLimited) as raised:
        api.client().jobs.submit("Redact it")

    assert (raised.value.code, raised.value.retry_after_s) == ("budget_exhausted", 3600)
    assert len(api.requests) == 1


def test_a_large_body_gets_the_time_to_be_stored() -> None:
    api = FakeApi(told({"id": "tbl_1"}, 201))

    api.client().request("create_table", body=b"x" * 30_000_000)
    api.client().request("version")

    large, small = (request.extensions["timeout"]["read"] for request in api.requests)
    assert (large, small) == (90.0, 60.0)
