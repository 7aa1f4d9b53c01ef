"""What the limiter tests share: limiters on one event loop, and callers that never have enough."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from shared.domain.bucket import RateLimits
from shared.domain.waiting import Waiting
from shared.llm.limiter import Granted, Limiter

Job = tuple[str, str, float, bool]  # job, project, weight, small


def new_key() -> str:
    """Return an endpoint key no other test has."""
    return f"test-{uuid.uuid4().hex}/model"


@asynccontextmanager
async def fleet(
    redis_url: str, processes: int, *, patience_s: float = 60.0
) -> AsyncIterator[list[Limiter]]:
    """Limiters that stand for so many processes."""
    made = [
        Limiter(redis_url, f"{uuid.uuid4().hex}", patience_s=patience_s) for _ in range(processes)
    ]
    try:
        yield made
    finally:
        for limiter in made:
            await limiter.close()


async def ask(
    limiter: Limiter, key: str, limits: RateLimits, **changes: object
) -> Granted | Waiting:
    """Ask for one call of the job `job`."""
    asked = {
        "job_id": "job", "project_id": "project", "weight": 1.0, "small": False,
        "input_tokens": 100, "output_tokens": 10,
    }  # fmt: skip
    return await limiter.acquire(key, limits=limits, **{**asked, **changes})  # type: ignore[arg-type]


async def draw(
    limiters: Iterable[Limiter], key: str, limits: RateLimits, seconds: float, *,
    jobs: Iterable[Job] = (("job", "project", 1.0, False),), callers: int = 30,
) -> tuple[Counter[str], float]:  # fmt: skip
    """Call as often as may be for so long; return the calls by job and the seconds it took."""
    went: Counter[str] = Counter()

    async def caller(limiter: Limiter, job: Job) -> None:
        while True:
            name, project, weight, small = job
            got = await ask(
                limiter, key, limits, job_id=name, project_id=project, weight=weight, small=small
            )
            assert isinstance(got, Granted)
            went[name] += 1

    started = time.monotonic()
    tasks = [
        asyncio.create_task(caller(limiter, job))
        for limiter in limiters
        for job in jobs
        for _ in range(callers)
    ]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    passed = time.monotonic() - started
    assert all(isinstance(one, asyncio.CancelledError) for one in done)
    return went, passed
