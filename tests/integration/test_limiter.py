import asyncio

import pytest
import redis

from services.cli.embedded.datastores import Datastores
from shared.domain.bucket import RateLimits
from shared.domain.model_call import LimitHints
from shared.domain.waiting import Waiting
from shared.llm.limiter import Granted, Limiter
from shared.llm.limiter_store import PREFIX
from tests.integration.limiter_bench import ask, draw, fleet, new_key

FAST = RateLimits(12_000)  # 200 requests a second
SLOW = RateLimits(6)  # one in ten seconds


@pytest.fixture
def redis_url(stores: Datastores) -> str:
    return stores.redis_url


async def eventually_waiting(limiter: Limiter, key: str, limits: RateLimits) -> Waiting:
    """Ask again and again until the answer is Waiting: news take a moment to get around."""
    async with asyncio.timeout(10):
        while isinstance(got := await ask(limiter, key, limits), Granted):
            await asyncio.sleep(0.01)
    return got


def test_two_processes_together_keep_to_the_rate_and_reach_it(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 2) as limiters:
            went, passed = await draw(limiters, new_key(), FAST, 3.0)
        assert went.total() <= 1 + 200 * passed * 1.05
        assert went.total() >= 200 * passed * 0.75  # 0.95 is measured by bench.limiter

    asyncio.run(scenario())


def test_input_tokens_are_limited_as_requests_are(redis_url: str) -> None:
    limits = RateLimits(60_000, input_tokens_per_minute=600_000)  # calls have 100 tokens each

    async def scenario() -> None:
        async with fleet(redis_url, 2) as limiters:
            went, passed = await draw(limiters, new_key(), limits, 2.0)
        assert 100 * went.total() <= 10_000 * passed * 1.05 + 2 * 100
        assert 100 * went.total() >= 10_000 * passed * 0.7

    asyncio.run(scenario())


def test_projects_get_calls_by_their_weight_in_whatever_process(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 2) as (one, other):
            key = new_key()
            light, heavy = ("light", "p", 1.0, False), ("heavy", "q", 3.0, False)
            drawn = await asyncio.gather(
                draw([one], key, FAST, 2.0, jobs=[light]),
                draw([other], key, FAST, 2.0, jobs=[heavy]),
            )
        went = drawn[0][0] + drawn[1][0]
        assert went["heavy"] / went.total() == pytest.approx(0.75, abs=0.1)

    asyncio.run(scenario())


def test_a_small_job_among_many_gets_its_tenth(redis_url: str) -> None:
    jobs = [(f"big {no}", f"p{no}", 1.0, False) for no in range(19)]

    async def scenario() -> None:
        async with fleet(redis_url, 2) as limiters:
            small = ("small", "p-small", 0.1, True)
            went, _ = await draw(limiters, new_key(), FAST, 2.0, jobs=[*jobs, small], callers=15)
        assert went["small"] / went.total() == pytest.approx(0.1, abs=0.05)

    asyncio.run(scenario())


def test_a_lone_job_is_not_slowed_by_the_share_of_small_ones(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 1) as limiters:
            went, passed = await draw(limiters, new_key(), FAST, 2.0)
        assert went.total() >= 200 * passed * 0.75

    asyncio.run(scenario())


def test_after_a_429_nobody_in_the_fleet_calls(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 3) as (told, busy, idle):
            key = new_key()
            assert isinstance(await ask(told, key, FAST), Granted)
            await draw([busy], key, FAST, 0.3)  # it has a slice at hand
            told.report(key, retry_after_s=30.0)
            at_once = await ask(told, key, FAST)
            assert isinstance(at_once, Waiting)
            assert at_once.kind == "rate_limited"
            assert at_once.model == key
            for other in (busy, idle):
                assert 20 < (await eventually_waiting(other, key, FAST)).retry_in_s <= 30

    asyncio.run(scenario())


def test_without_limits_a_429_is_obeyed_as_well(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 2) as (told, other):
            key, free = new_key(), RateLimits()
            assert isinstance(await ask(other, key, free), Granted)
            told.report(key, retry_after_s=30.0)
            assert (await eventually_waiting(other, key, free)).retry_in_s > 20

    asyncio.run(scenario())


def test_a_429_of_one_model_does_not_hold_another(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 1) as (limiter,):
            limiter.report(new_key(), retry_after_s=30.0)
            assert isinstance(await ask(limiter, new_key(), FAST), Granted)

    asyncio.run(scenario())


def test_a_short_hold_is_waited_for_in_place(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 1) as (limiter,):
            key = new_key()
            limiter.report(key, retry_after_s=0.3)
            assert isinstance(await ask(limiter, key, FAST), Granted)

    asyncio.run(scenario())


def test_calls_that_wait_are_sent_away_when_a_long_hold_comes(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 1) as (limiter,):
            key = new_key()
            assert isinstance(await ask(limiter, key, SLOW), Granted)
            waiting = asyncio.create_task(ask(limiter, key, SLOW))
            await asyncio.sleep(0)
            limiter.report(key, retry_after_s=40.0)
            async with asyncio.timeout(5):
                assert isinstance(await waiting, Waiting)

    asyncio.run(scenario())


def test_patience_ends(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 1, patience_s=0.3) as (limiter,):
            key = new_key()
            assert isinstance(await ask(limiter, key, SLOW), Granted)
            got = await ask(limiter, key, SLOW)
            assert isinstance(got, Waiting)
            assert got.reason()["kind"] == "rate_limited"
            assert got.reason()["model"] == key
            assert got.reason()["until"].endswith("Z")

    asyncio.run(scenario())


def test_a_cancelled_call_stops_waiting(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 1) as (limiter,):
            key, cancelled = new_key(), asyncio.Event()
            assert isinstance(await ask(limiter, key, SLOW), Granted)
            waiting = asyncio.create_task(ask(limiter, key, SLOW, cancelled=cancelled))
            await asyncio.sleep(0)
            cancelled.set()
            async with asyncio.timeout(5):
                got = await waiting
            assert isinstance(got, Waiting)
            assert got.kind == "cancelled"

    asyncio.run(scenario())


def test_a_caller_that_is_gone_takes_no_permit(redis_url: str) -> None:
    limits = RateLimits(60)  # one a second

    async def scenario() -> None:
        async with fleet(redis_url, 1) as (limiter,):
            key = new_key()
            assert isinstance(await ask(limiter, key, limits), Granted)
            gone = [asyncio.create_task(ask(limiter, key, limits)) for _ in range(50)]
            await asyncio.sleep(0)
            for task in gone:
                task.cancel()
            async with asyncio.timeout(10):  # 50 permits would take 50 s
                assert isinstance(await ask(limiter, key, limits), Granted)

    asyncio.run(scenario())


def test_tokens_that_were_not_needed_are_put_back(redis_url: str) -> None:
    limits = RateLimits(output_tokens_per_minute=60)  # one a second; the call takes 100 s worth

    async def scenario() -> None:
        async with fleet(redis_url, 1, patience_s=3.0) as (limiter,):
            key = new_key()
            first = await ask(limiter, key, limits, output_tokens=100)
            assert isinstance(first, Granted)
            limiter.settle(key, first, input_tokens=100, output_tokens=1)
            assert isinstance(await ask(limiter, key, limits, output_tokens=100), Granted)
            assert isinstance(await ask(limiter, key, limits, output_tokens=100), Waiting)

    asyncio.run(scenario())


def test_a_limit_told_by_headers_holds_for_the_whole_fleet(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 2, patience_s=0.5) as (told, other):
            key, free = new_key(), RateLimits()
            assert isinstance(await ask(told, key, free), Granted)
            told.report(key, LimitHints(requests_limit=6))
            for limiter in (told, other):
                await eventually_waiting(limiter, key, free)

    asyncio.run(scenario())


def test_a_header_never_raises_the_set_limit(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 1, patience_s=0.5) as (limiter,):
            key = new_key()
            assert isinstance(await ask(limiter, key, SLOW), Granted)
            limiter.report(key, LimitHints(requests_limit=1_000_000, requests_remaining=999))
            assert isinstance(await ask(limiter, key, SLOW), Waiting)

    asyncio.run(scenario())


def test_every_key_in_redis_expires(redis_url: str) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 1) as (limiter,):
            key = new_key()
            assert isinstance(await ask(limiter, key, FAST), Granted)
            limiter.report(key, retry_after_s=0.5)
            assert isinstance(await ask(limiter, key, FAST), Granted)
            with redis.Redis.from_url(redis_url) as client:
                keys = list(client.scan_iter(f"{PREFIX}*"))
                assert any(key.encode() in one for one in keys)
                assert all(client.pttl(one) != -1 for one in keys)

    asyncio.run(scenario())


@pytest.mark.parametrize("forged", [b"junk", b"\x81\xa1x\x01", b""])
def test_a_bucket_nobody_can_read_is_replaced(redis_url: str, forged: bytes) -> None:
    async def scenario() -> None:
        async with fleet(redis_url, 1) as (limiter,):
            key = new_key()
            with redis.Redis.from_url(redis_url) as client:
                client.set(f"{PREFIX}bucket:{key}", forged)
            assert isinstance(await ask(limiter, key, FAST), Granted)
            assert not limiter.alone

    asyncio.run(scenario())


def test_who_waits_when_the_process_stops_is_told(redis_url: str) -> None:
    async def scenario() -> None:
        key = new_key()
        async with fleet(redis_url, 1) as (limiter,):
            assert isinstance(await ask(limiter, key, SLOW), Granted)
            waiting = asyncio.create_task(ask(limiter, key, SLOW))
            await asyncio.sleep(0)
        got = await waiting
        assert isinstance(got, Waiting)
        assert isinstance(await ask(limiter, key, SLOW), Waiting)

    asyncio.run(scenario())
