"""How long a claim takes while retention erases a million rows, and while nothing else runs.

`python -m bench.retention --rows 1000000`. A Postgres of its own that writes to disk as usual; old
jobs with results, shards and raw answers, and a running job whose shards are claimed at a steady
rate. Writes `bench/out/retention.json`.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from sqlalchemy import text

from services.cli.embedded.datastores import Datastores
from services.cli.migrate import migrate
from services.collector.erase_deleted import erase_deleted
from services.collector.retain import retain
from shared.database import shards
from shared.database.engine import Engine, connect
from shared.settings import Settings, load_settings

OUT = Path(__file__).parent / "out" / "retention.json"
UNITS_OF_A_JOB = 10_000
UNITS_OF_A_SHARD = 500
CLAIMS_A_SECOND = 50
LIVE_SHARDS = 50_000
WARM_UP = 100

OLD_JOBS = """
INSERT INTO projects (id, name) VALUES ('prj_bench', 'bench');
INSERT INTO jobs (id, project_id, status, mode, planning, policy, priority, created_at, finished_at)
  SELECT 'job_old' || n, 'prj_bench', 'succeeded', 'batch', 'given', '{}', 5,
    clock_timestamp() - interval '41 days', clock_timestamp() - interval '40 days'
  FROM generate_series(1, %(jobs)s) n;
INSERT INTO stages (job_id, plan_version, no, name, status, spec, capability, capability_version,
    queue, reads, columns, unit_count, cut_units, fully_cut, succeeded)
  SELECT id, 1, 1, 'work', 'closed', '{}', 'llm', '1', 'model', '[]', '[]', %(units)s, %(units)s,
    true, %(units)s FROM jobs;
INSERT INTO shards (stage_id, job_id, no, status, capability, queue, first_unit, last_unit,
    unit_count, first_row, row_count, succeeded)
  SELECT s.id, s.job_id, n, 'done', 'llm', 'model', n * %(size)s, (n + 1) * %(size)s - 1, %(size)s,
    n * %(size)s, %(size)s, %(size)s FROM stages s, generate_series(0, %(units)s / %(size)s - 1) n;
INSERT INTO results (stage_id, unit, shard_id, outcome, output, attempt, unit_hash)
  SELECT h.stage_id, u, h.id, 'succeeded', jsonb_build_array(jsonb_build_object('id', u, 'label',
    repeat('x', 150))), 1, sha256(convert_to(h.stage_id || '-' || u, 'UTF8'))
  FROM shards h, generate_series(h.first_unit, h.last_unit) u;
INSERT INTO attempts (stage_id, unit, number, shard_id, fence, outcome, raw, ended_at)
  SELECT stage_id, unit, 1, shard_id, 1, 'succeeded', repeat('y', 300),
    clock_timestamp() - interval '40 days' FROM results;
INSERT INTO jobs (id, project_id, status, mode, planning, policy, priority)
  VALUES ('job_live', 'prj_bench', 'running', 'batch', 'given', '{}', 5);
INSERT INTO stages (job_id, plan_version, no, name, status, spec, capability, capability_version,
    queue, reads, columns, unit_count)
  VALUES ('job_live', 1, 1, 'work', 'open', '{}', 'llm', '1', 'model', '[]', '[]', %(live)s);
INSERT INTO shards (stage_id, job_id, no, capability, queue, first_unit, last_unit, unit_count,
    first_row, row_count)
  SELECT s.id, s.job_id, n, 'llm', 'model', n, n, 1, n, 1
  FROM stages s, generate_series(0, %(live)s - 1) n WHERE s.job_id = 'job_live'
"""


@dataclass(frozen=True)
class Measured:
    """Claims at a steady rate; times in milliseconds."""

    meanwhile: str
    seconds: float
    claims: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def main() -> None:
    """Measure both and print a table; exit code 1 when something old is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="results to erase")
    parser.add_argument("--idle", type=float, default=30, help="seconds without retention")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="apwa-bench-") as folder:
        Path(folder).chmod(0o711)
        stores = Datastores(Path(folder, "stores"), durable=True)
        stores.start()
        try:
            settings = load_settings(
                {"APWA_DATABASE_URL": stores.create_database(), "APWA_REDIS_URL": stores.redis_url}
            )
            migrate(settings)
            found, left = _both(settings, given.rows, given.idle)
        finally:
            stores.stop()
    for one in found:
        sys.stdout.write("  ".join(f"{name} {value}" for name, value in asdict(one).items()) + "\n")
    sys.stdout.write(f"results erased {given.rows - left}, left {left}\n")
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n")
    sys.exit(1 if left else 0)


def _both(settings: Settings, rows: int, idle_s: float) -> tuple[list[Measured], int]:
    engine = connect(settings.sqlalchemy_url, pool_size=2, application_name="apwa-bench")
    live = _fill(settings.database_url, rows)
    _claims(engine, live[:WARM_UP], "warm-up", lambda: True)
    ends_at = time.monotonic() + idle_s
    idle = _claims(engine, live[WARM_UP:], "nothing", lambda: time.monotonic() < ends_at)
    eraser = multiprocessing.get_context("spawn").Process(target=_erase, args=(settings,))
    eraser.start()
    busy = _claims(engine, live[WARM_UP + idle.claims :], "retention", eraser.is_alive)
    with engine.connect() as connection:
        left = connection.execute(text("SELECT count(*) FROM results")).scalar_one()
    engine.dispose()
    return [idle, busy], int(left)


def _fill(database_url: str, rows: int) -> list[int]:
    """Write the old jobs and the live one; return the live one's shards."""
    values = {
        "jobs": rows // UNITS_OF_A_JOB, "units": UNITS_OF_A_JOB, "size": UNITS_OF_A_SHARD,
        "live": LIVE_SHARDS,
    }  # fmt: skip
    with psycopg.connect(database_url, autocommit=True) as connection:  # it may take its time
        for statement in OLD_JOBS.split(";\n"):
            connection.execute(statement, values)
        connection.execute("VACUUM ANALYZE")
        found = connection.execute("SELECT id FROM shards WHERE job_id = 'job_live'")
        return [row[0] for row in found.fetchall()]


def _erase(settings: Settings) -> None:
    """Do what the collector does once an hour, and at once after it."""
    engine = connect(settings.sqlalchemy_url, pool_size=2, application_name="apwa-collector")
    retain(engine, settings)
    for _ in range(1_000):
        with engine.connect() as connection:
            due = "SELECT count(*) FROM jobs WHERE deleted_at IS NOT NULL AND erased_at IS NULL"
            if not connection.execute(text(due)).scalar_one():
                break
        erase_deleted(engine)
    engine.dispose()


def _claims(
    engine: Engine, live: list[int], meanwhile: str, goes_on: Callable[[], bool]
) -> Measured:
    times: list[float] = []
    began = time.monotonic()
    for number, shard_id in enumerate(live):
        if not goes_on():
            break
        time.sleep(max(0.0, began + number / CLAIMS_A_SECOND - time.monotonic()))
        asked = time.monotonic()
        with engine.begin() as connection:
            claimed = shards.claim(
                connection, shard_id, "bench", ["llm"], 600.0, may_be_alone=False
            )
        times.append((time.monotonic() - asked) * 1_000)
        if claimed is None:
            raise LookupError(f"shard {shard_id} could not be claimed")
    seconds = time.monotonic() - began
    times.sort()
    return Measured(
        meanwhile, round(seconds, 1), len(times), _at(times, 0.5), _at(times, 0.99), _at(times, 1)
    )


def _at(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else 0.0


if __name__ == "__main__":
    main()
