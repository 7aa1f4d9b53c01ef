"""Two processes under one limiter: how near the set rate they come, and what a permit costs.

`python -m bench.limiter --seconds 60`. Both processes want far more than the rates allow, without a
pause, against a real Valkey. Writes `bench/out/limiter.json`.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import secrets
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop

from services.cli.embedded.ports import choose_port
from services.cli.embedded.valkey_server import ValkeyServer
from shared.domain.bucket import RateLimits
from shared.llm.limiter import Granted, Limiter

PROCESSES = 2
OUT = Path(__file__).parent / "out" / "limiter.json"


@dataclass(frozen=True)
class Load:
    """What both processes ask of one endpoint; `measure` is what the allowed share counts."""

    name: str
    limits: RateLimits
    measure: str  # requests, or a kind of tokens
    callers: int  # per job and process
    jobs: tuple[tuple[str, str, float, bool], ...]  # job, project, weight, small
    tokens: tuple[int, int] = (100, 100)  # input tokens of a call, from and to

    @property
    def per_second(self) -> float:
        limits = self.limits
        return {
            "requests": limits.requests_per_minute,
            "input": limits.input_tokens_per_minute,
        }[self.measure] / 60  # type: ignore[operator]


ONE = (("job-a", "project-a", 1.0, False),)
SHARED = (
    ("weight 1", "project-a", 1.0, False),
    ("weight 3", "project-b", 3.0, False),
    ("two of one project: 1", "project-c", 1.0, False),
    ("two of one project: 2", "project-c", 1.0, False),
)
BIG = tuple((f"big {no}", f"project-{no}", 1.0, False) for no in range(19))
LOADS = (
    Load("1,000 requests/s", RateLimits(requests_per_minute=60_000), "requests", 300, ONE),
    Load("10,000 input tokens/s, calls of 50-2,000",
         RateLimits(6_000, input_tokens_per_minute=600_000), "input", 100, ONE, (50, 2_000)),
    Load("1 request/s", RateLimits(requests_per_minute=60), "requests", 5, ONE),
    Load("100 requests/s, four jobs", RateLimits(requests_per_minute=6_000), "requests", 40,
         SHARED),
    Load("100 requests/s, 19 big jobs and a small one", RateLimits(requests_per_minute=6_000),
         "requests", 20, (*BIG, ("small", "project-0", 1.0, True))),
)  # fmt: skip


async def call_all(redis_url: str, name: str, start_at: float, seconds: float) -> dict[str, Any]:
    """Call every endpoint as often as the limiter allows; return (time, job, amount) by load."""
    limiter, made = Limiter(redis_url, name, patience_s=seconds + 60), {}

    async def caller(load: Load, job: tuple[str, str, float, bool], no: int) -> None:
        draw = random.Random(f"{name}/{load.name}/{job[0]}/{no}")
        calls = made.setdefault(load.name, [])
        while True:
            tokens = draw.randint(*load.tokens)
            granted = await limiter.acquire(
                load.name, *job[:3], small=job[3], input_tokens=tokens, output_tokens=10,
                limits=load.limits,
            )  # fmt: skip
            if not isinstance(granted, Granted):
                return
            amount = tokens if load.measure == "input" else 1
            calls.append((time.monotonic(), job[0], amount))

    await asyncio.sleep(start_at - time.monotonic())
    callers = [
        asyncio.create_task(caller(load, job, no))
        for load in LOADS
        for job in load.jobs
        for no in range(load.callers)
    ]
    used = time.process_time()
    await asyncio.sleep(seconds)
    cpu = time.process_time() - used
    await limiter.close()
    await asyncio.gather(*callers)
    return {"calls": made, "cpu_s": cpu}


def run_process(
    redis_url: str, name: str, start_at: float, seconds: float, answer: Connection
) -> None:
    answer.send(uvloop.run(call_all(redis_url, name, start_at, seconds)))
    answer.close()


async def cost_us(redis_url: str, limits: RateLimits, calls: int = 100_000) -> float:
    """Return microseconds per `acquire` where the slice at hand suffices (most of the time)."""
    limiter = Limiter(redis_url, "costs")
    args = {"small": False, "input_tokens": 500, "output_tokens": 100, "limits": limits}
    started = 0.0
    for no in range(calls + 1_000):
        if no == 1_000:
            started = time.perf_counter()
        await limiter.acquire("cost", "job", "project", 1.0, **args)
        if no % 100 == 0:
            await asyncio.sleep(0)  # as a worker's loop does between calls
    spent = time.perf_counter() - started
    await limiter.close()
    return spent / calls * 1e6


def worst_window(calls: list[tuple[float, str, float]], window_s: float) -> float:
    """Return the most that went in any `window_s` seconds."""
    most = total = 0.0
    first = 0
    for moment, _, amount in calls:
        total += amount
        while calls[first][0] <= moment - window_s:
            total -= calls[first][2]
            first += 1
        most = max(most, total)
    return most


def measure(redis_url: str, seconds: float) -> list[dict[str, Any]]:
    context = multiprocessing.get_context("spawn")
    start_at, pipes, processes = time.monotonic() + 3, [], []
    for no in range(PROCESSES):
        ours, theirs = context.Pipe(duplex=False)
        args = (redis_url, f"process-{no}", start_at, seconds, theirs)
        process = context.Process(target=run_process, args=args)
        process.start()
        pipes.append(ours)
        processes.append(process)
    answers = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    print(f"CPU of the processes: {[round(one['cpu_s'], 1) for one in answers]} s")
    return [
        account(load, [one["calls"].get(load.name, []) for one in answers], seconds)
        for load in LOADS
    ]


def account(
    load: Load, by_process: list[list[tuple[float, str, float]]], seconds: float
) -> dict[str, Any]:
    calls = sorted(call for part in by_process for call in part)
    jobs = Counter()
    for _, job, amount in calls:
        jobs[job] += amount
    total = sum(jobs.values())
    window_s = min(60.0, seconds)
    allowed = load.per_second
    return {
        "load": load.name,
        "calls": len(calls),
        "of_allowed": total / (allowed * seconds),
        "worst_window_s": window_s,
        "worst_window": worst_window(calls, window_s) / (allowed * window_s),
        "worst_10_s": worst_window(calls, 10) / (allowed * 10),
        "by_process": [sum(call[2] for call in part) / total for part in by_process],
        "by_job": {job: amount / total for job, amount in sorted(jobs.items())},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        valkey = ValkeyServer(
            Path(folder) / "data", Path(folder) / "log", secrets.token_urlsafe(16)
        )
        valkey.start(choose_port(None))
        try:
            costs = {
                "slice at hand": uvloop.run(cost_us(valkey.url(), RateLimits(6e8, None, 6e10))),
                "no limits": uvloop.run(cost_us(valkey.url(), RateLimits())),
            }
            found = measure(valkey.url(), seconds)
        finally:
            valkey.stop()
    print(f"\nmicroseconds per permit: { ({name: round(us, 1) for name, us in costs.items()}) }\n")
    print(f"{'share of what is allowed, two processes':45} {'all':>8} {'worst':>8} {'of 10 s':>8}")
    for one in found:
        print(
            f"{one['load']:45} {one['of_allowed']:8.1%} {one['worst_window']:8.1%} "
            f"{one['worst_10_s']:8.1%}  processes "
            f"{' '.join(f'{part:.0%}' for part in one['by_process'])}"
        )
        if len(one["by_job"]) > 1:
            parts = list(one["by_job"].items())
            shown = parts if len(parts) < 6 else [parts[0], ("...", 0.0), parts[-1]]
            print("    " + ", ".join(f"{job} {part:.1%}" for job, part in shown))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"seconds": seconds, "cost_us": costs, "loads": found}, indent=1))
    print(f"\nwritten to bench/out/{OUT.name}")


if __name__ == "__main__":
    main()
