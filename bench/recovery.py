"""How soon the shards of a worker that was killed (-9) are free, and run again elsewhere.

`python -m bench.recovery --kills 10`. Real services on stores of their own and a fake model that
answers after half a second. Writes `bench/out/recovery.json`; exit code 1 when a shard waited for
more than its lease and two seconds, or a unit was lost or doubled.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from services.cli.embedded.datastores import Datastores
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.faults.model_jobs import calls_by_marker, labels_of, model_settings, tickets
from tests.stack import Stack

OUT = Path(__file__).parent / "out" / "recovery.json"
ROWS = 20_000
GRACE_S = 2.0
HELD = """SELECT s.id, s.fence, clock_timestamp() FROM shards s JOIN workers w ON w.id = s.worker_id
  WHERE w.pid = %s AND s.status = 'running' AND s.lost = 0"""  # the lost run alone, or halved
FREE = """SELECT extract(epoch FROM ended_at - %s) FROM shard_deliveries
  WHERE shard_id = %s AND fence = %s AND ending = 'lost'"""
DONE = "SELECT status = 'done' AND fence = %s FROM shards WHERE id = %s"  # before the kill
AGAIN = """SELECT extract(epoch FROM claimed_at - %s) FROM shards
  WHERE id = %s AND fence > %s AND claimed_at IS NOT NULL"""


def main() -> None:
    """Kill workers one after the other; print how long their shards waited."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--lease", type=float, default=5.0, help="APWA_LEASE_S")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="apwa-bench-") as folder:
        stores = Datastores(Path(folder, "stores"), durable=True)
        stores.start()
        (own := Path(folder, "stack")).mkdir()
        with FakeModel(own, latency_ms={"fixed": 500}) as model:
            extra = model_settings(model) | {"APWA_LOOP_CONCURRENCY": "32"}
            extra |= {"APWA_LEASE_S": str(given.lease), "APWA_SHARD_SIZE": "20"}
            stack = Stack(own, stores.create_database(), extra=extra)
            try:
                found = _run(stack.start_all(workers=2), model, given.kills)
            finally:
                stack.stop()
                stores.stop()
    for name, value in found.items():
        sys.stdout.write(f"{name:>16}  {value}\n")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({**vars(given), **found}, indent=2) + "\n")
    late = found["again_max_s"] > given.lease + GRACE_S
    sys.exit(1 if late or found["doubled"] or found["lost"] else 0)


def _run(stack: Stack, model: FakeModel, kills: int) -> dict[str, Any]:
    policy = {"budget": {"usd": None, "tokens": 10**12}}
    job_id = stack.submit(labels_of(tickets(ROWS), policy=policy))
    free: list[float] = []
    again: list[float] = []
    for _ in range(kills):
        pid = stack.processes["worker"][0].pid
        eventually(lambda pid=pid: stack.rows(HELD, pid), within=60)
        held = stack.rows(HELD, pid)
        stack.kill("worker")
        stack.start("worker")
        for shard_id, fence, killed_at in held:
            if stack.scalar(DONE, fence, shard_id):
                continue
            for found, query in ((free, FREE), (again, AGAIN)):
                given = (killed_at, shard_id, fence)
                [(seconds,)] = eventually(
                    lambda query=query, given=given: stack.rows(query, *given), within=60
                )
                found.append(float(seconds))
    stack.post(f"/v1/jobs/{job_id}/finalize")
    job = stack.wait(job_id, within=120)
    rows = Counter(row["id"] for row in stack.results(job_id))
    return {
        "kills": kills,
        "shards": len(free),
        "free_median_s": round(statistics.median(free), 2),
        "free_max_s": round(max(free), 2),
        "again_median_s": round(statistics.median(again), 2),
        "again_max_s": round(max(again), 2),
        "units": len(rows),
        "lost": job["progress"]["succeeded"] - len(rows),
        "doubled": rows.total() - len(rows),
        "calls_again": sum(count - 1 for count in calls_by_marker(model).values()),
    }


if __name__ == "__main__":
    main()
