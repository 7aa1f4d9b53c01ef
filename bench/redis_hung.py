"""How long POST /v1/jobs takes with Redis up, and with a Redis that hangs (SIGSTOP).

`python -m bench.redis_hung --posts 200`. Real services on stores of their own, which write to disk
as usual. Writes `bench/out/redis_hung.json`.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.cli.embedded.datastores import Datastores
from tests.stack import Stack

OUT = Path(__file__).parent / "out" / "redis_hung.json"
ROWS = 10  # of each job
WARM_UP = 20


@dataclass(frozen=True)
class Measured:
    """The answers to `posts` submissions, one after the other; times in milliseconds."""

    redis: str
    posts: int
    accepted: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    finished_s: float  # from the first submission until every job is final


def main() -> None:
    """Measure both and print a table; exit code 1 when a submission was refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="apwa-bench-") as folder:
        Path(folder).chmod(0o711)
        stores = Datastores(Path(folder, "stores"), durable=True)
        stores.start()
        (own := Path(folder, "stack")).mkdir()
        stack = Stack(own, stores.create_database())
        try:
            found = _both(stack.start_all(workers=given.workers), given.posts)
        finally:
            stack.stop()
            stores.stop()
    _show(found)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n")
    sys.exit(0 if all(one.accepted == one.posts for one in found) else 1)


def _both(stack: Stack, posts: int) -> list[Measured]:
    _measure(stack, "warm-up", WARM_UP)
    up = _measure(stack, "up", posts)
    os.kill(stack.valkey.process_id, signal.SIGSTOP)
    try:
        hung = _measure(stack, "hung", posts)
    finally:
        os.kill(stack.valkey.process_id, signal.SIGCONT)
    return [up, hung]


def _measure(stack: Stack, redis: str, posts: int) -> Measured:
    began, taken, accepted = time.monotonic(), [], []
    for _ in range(posts):
        sent = time.monotonic()
        answer = stack.post("/v1/jobs", _job())
        taken.append((time.monotonic() - sent) * 1_000)
        accepted += [answer.json["id"]] if answer.status == 202 else []
    for job_id in accepted:
        stack.wait(job_id, within=600)
    taken.sort()
    return Measured(
        redis=redis,
        posts=posts,
        accepted=len(accepted),
        p50_ms=_at(taken, 0.5),
        p90_ms=_at(taken, 0.9),
        p99_ms=_at(taken, 0.99),
        max_ms=_at(taken, 1),
        finished_s=round(time.monotonic() - began, 1),
    )


def _job() -> dict[str, Any]:
    stage = {
        "name": "redacted",
        "over": "mails",
        "unit": {"rows": 1},
        "capability": "redact",
        "params": {"field": "text"},
    }
    rows = [{"id": number, "text": f"Write to a{number}@example.com"} for number in range(ROWS)]
    return {
        "plan": {"version": 1, "stages": [stage], "result": {"table": "redacted"}},
        "inputs": {"mails": {"rows": rows, "key": "id"}},
    }


def _show(found: list[Measured]) -> None:
    names = list(asdict(found[0]))
    for line in [names, *(list(asdict(one).values()) for one in found)]:
        sys.stdout.write("".join(f"{value!s:>12}" for value in line) + "\n")


def _at(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


if __name__ == "__main__":
    main()
