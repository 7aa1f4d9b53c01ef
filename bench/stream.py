"""A stream at a steady rate, its worker killed twice: latency of a record, lost, doubled.

`python -m bench.stream --seconds 120 --rate 200`. Real services on stores of their own, a fake
model that answers after 50 ms (`--capability redact`: no model). `--rows 1000` sends so many with
the job, which makes it hybrid. Writes `bench/out/stream.json`.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.cli.embedded.datastores import Datastores
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import Stack

OUT = Path(__file__).parent / "out" / "stream.json"
COLUMNS = {"id": "integer", "text": "string"}
LATENCIES = """SELECT extract(epoch FROM r.settled_at - k.accepted_at) * 1000
  FROM stream_keys k JOIN streams s ON s.table_id = k.table_id
  JOIN stages t ON t.job_id = s.job_id JOIN results r ON r.stage_id = t.id AND r.replica = 0
    AND r.unit = k.row_no WHERE s.job_id = %s ORDER BY 1"""


@dataclass(frozen=True)
class Measured:
    """What one run came to; times in milliseconds, `send_p99_ms` of the append requests."""

    rate: float  # as asked for
    sent_per_second: float
    records: int
    seconds: float
    kills: int
    lost: int
    doubled: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    send_p50_ms: float
    send_p99_ms: float
    after_end_s: float  # from the end of the records to the final job
    status: str


def main() -> None:
    """Run once and print the figures; exit code 1 when a record was lost or doubled."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="apwa-bench-") as folder:
        stores = Datastores(Path(folder, "stores"), durable=True)
        stores.start()
        (own := Path(folder, "stack")).mkdir()
        with FakeModel(own, latency_ms={"fixed": 50}) as model:
            extra = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "none"}
            extra |= {"APWA_MODEL": "fake", "APWA_LEASE_S": str(given.lease)}
            stack = Stack(own, stores.create_database(), extra=extra)
            try:
                measured = _run(stack.start_all(workers=2), given)
            finally:
                stack.stop()
                stores.stop()
    for name, value in asdict(measured).items():
        sys.stdout.write(f"{name:>16}  {value}\n")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({**vars(given), **asdict(measured)}, indent=2) + "\n")
    sys.exit(1 if measured.lost or measured.doubled else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--rate", type=float, default=200, help="records a second")
    parser.add_argument("--burst", type=int, default=10, help="records of one request")
    parser.add_argument("--rows", type=int, default=0, help="rows that come with the job")
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--lease", type=float, default=3, help="APWA_LEASE_S")
    parser.add_argument("--capability", choices=("llm", "redact"), default="llm")
    return parser.parse_args()


def _run(stack: Stack, given: argparse.Namespace) -> Measured:
    job_id = stack.submit(_job(given.capability, _rows(0, given.rows)))
    killer = threading.Thread(target=_kill, args=(stack, given), daemon=True)
    killer.start()
    sends, total, began = [], given.rows, time.monotonic()
    while (now := time.monotonic() - began) < given.seconds:
        due = given.rows + int(now * given.rate) - total
        if due < given.burst:
            time.sleep(given.burst / given.rate / 4)
            continue
        rows = _rows(total, min(due, 1_000))
        sends.append(_send(stack, job_id, rows))
        total += len(rows)
    seconds = time.monotonic() - began
    killer.join(60)
    ended = time.monotonic()
    stack.post(f"/v1/jobs/{job_id}/records/end")
    job = stack.wait(job_id, within=120)
    after_end = time.monotonic() - ended
    found = Counter(row["id"] for row in stack.results(job_id))
    times = [float(row[0]) for row in stack.rows(LATENCIES, job_id)]
    return Measured(
        rate=given.rate,
        sent_per_second=round((total - given.rows) / seconds, 1),
        records=total,
        seconds=round(seconds, 1),
        kills=given.kills,
        lost=total - len(found),
        doubled=sum(found.values()) - len(found),
        p50_ms=_at(times, 0.5),
        p90_ms=_at(times, 0.9),
        p99_ms=_at(times, 0.99),
        max_ms=_at(times, 1),
        send_p50_ms=_at(sorted(sends), 0.5),
        send_p99_ms=_at(sorted(sends), 0.99),
        after_end_s=round(after_end, 2),
        status=job["status"],
    )


def _send(stack: Stack, job_id: str, rows: list[dict[str, Any]]) -> float:
    """Append, again while the answer is 429 or 503; return the milliseconds it took."""
    began = time.monotonic()
    eventually(
        lambda: stack.post(f"/v1/jobs/{job_id}/records", rows).status == 202, within=60, every=0.5
    )
    return (time.monotonic() - began) * 1_000


def _kill(stack: Stack, given: argparse.Namespace) -> None:
    for _ in range(given.kills):
        time.sleep(given.seconds / (given.kills + 1))
        stack.kill("worker")
        stack.start("worker")


def _rows(start: int, count: int) -> list[dict[str, Any]]:
    return [{"id": n, "text": f"Write to a{n}@example.com"} for n in range(start, start + count)]


def _job(capability: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    stage: dict[str, Any] = {"name": "work", "over": "mails", "unit": {"rows": 1}}
    if capability == "redact":
        stage |= {"capability": "redact", "params": {"field": "text"}}
    else:
        label = {"type": "object", "properties": {"label": {"type": "string"}}}
        stage |= {
            "capability": "llm",
            "template": {"instructions": "Label the mail.", "input": "{{ text }}"},
            "output": {**label, "required": ["label"]},
        }
    plan = {"version": 1, "stages": [stage], "result": {"table": "work"}}
    stream: dict[str, Any] = {"stream": True, "columns": COLUMNS, "key": "id"}
    if rows:
        stream["rows"] = rows
    budget = {"usd": None, "tokens": 10**12}
    return {"plan": plan, "inputs": {"mails": stream}, "policy": {"budget": budget}}


def _at(ordered: list[float], share: float) -> float:
    if not ordered:
        return 0.0
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)


if __name__ == "__main__":
    main()
