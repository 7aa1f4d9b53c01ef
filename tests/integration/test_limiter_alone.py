import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from services.cli.embedded.ports import choose_port
from services.cli.embedded.valkey_server import ValkeyServer
from shared.domain.bucket import RateLimits
from shared.llm.limiter import Granted, Limiter
from shared.llm.limiter_store import PROCESSES_UNKNOWN
from tests.integration.limiter_bench import ask, draw, fleet, new_key

LIMITS = RateLimits(12_000)  # 200 requests a second


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey of its own, to be ended and started again."""
    server = ValkeyServer(tmp_path / "data", tmp_path / "log", "secret")
    server.start(choose_port(None))
    yield server
    server.stop()


async def until_alone(limiter: Limiter, key: str, *, alone: bool) -> None:
    async with asyncio.timeout(20):
        while limiter.alone is not alone:
            await ask(limiter, key, LIMITS)
            await asyncio.sleep(0.02)


def test_with_redis_away_a_process_keeps_to_its_share(valkey: ValkeyServer) -> None:
    async def scenario() -> None:
        async with fleet(valkey.url(), 2) as limiters:
            key = new_key()
            await draw(limiters, key, LIMITS, 0.5)  # they know of each other
            valkey.stop()
            for limiter in limiters:
                await until_alone(limiter, key, alone=True)
            went, passed = await draw([limiters[0]], key, LIMITS, 2.0)
            assert went.total() <= 100 * (passed + 1) * 1.05  # half the rate, and a full bucket
            assert went.total() >= 100 * passed * 0.7

    asyncio.run(scenario())


def test_a_process_that_never_saw_redis_is_modest(valkey: ValkeyServer) -> None:
    async def scenario() -> None:
        valkey.stop()
        async with fleet(valkey.url(), 1) as limiters:
            went, passed = await draw(limiters, new_key(), LIMITS, 1.5)
            assert limiters[0].alone
            assert 0 < went.total() <= 200 / PROCESSES_UNKNOWN * (passed + 1) * 1.05

    asyncio.run(scenario())


def test_a_process_comes_back_when_redis_does(valkey: ValkeyServer) -> None:
    async def scenario() -> None:
        async with fleet(valkey.url(), 1) as (limiter,):
            key = new_key()
            assert isinstance(await ask(limiter, key, LIMITS), Granted)
            valkey.stop()
            await until_alone(limiter, key, alone=True)
            valkey.start(valkey.port)
            await until_alone(limiter, key, alone=False)

    asyncio.run(scenario())


def test_a_redis_that_hangs_is_away(valkey: ValkeyServer) -> None:
    async def scenario() -> None:
        async with fleet(valkey.url(), 1) as (limiter,):
            key = new_key()
            assert isinstance(await ask(limiter, key, LIMITS), Granted)
            os.kill(valkey.process_id, signal.SIGSTOP)
            try:
                await until_alone(limiter, key, alone=True)
                went, _ = await draw([limiter], key, LIMITS, 0.5)
                assert went.total() > 0
            finally:
                os.kill(valkey.process_id, signal.SIGCONT)

    asyncio.run(scenario())


def test_a_429_is_obeyed_without_redis(valkey: ValkeyServer) -> None:
    async def scenario() -> None:
        valkey.stop()
        async with fleet(valkey.url(), 1) as (limiter,):
            key = new_key()
            assert isinstance(await ask(limiter, key, LIMITS), Granted)
            limiter.report(key, retry_after_s=30.0)
            assert not isinstance(await ask(limiter, key, LIMITS), Granted)

    asyncio.run(scenario())


def test_wiping_redis_again_and_again_gives_nobody_more(valkey: ValkeyServer) -> None:
    async def scenario() -> None:
        async with fleet(valkey.url(), 2) as limiters:
            drawing = asyncio.create_task(draw(limiters, new_key(), LIMITS, 2.0))
            wipes = 0
            with redis.Redis.from_url(valkey.url()) as client:
                while not drawing.done():
                    client.flushall()
                    wipes += 1
                    await asyncio.sleep(0.1)
            went, passed = await drawing
            assert went.total() <= 200 * passed * 1.05 + wipes + 1  # a new bucket holds one call

    asyncio.run(scenario())
