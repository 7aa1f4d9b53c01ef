"""A planned and cut job on a real database, with nobody at work on it: the test is the worker."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Engine, text

from services.collector.collect_job import Collector, collect_job
from services.planner.plan_job import Planner, plan_job
from shared.actions.keys import ensure_default_project
from shared.capabilities import builtin
from shared.database import capabilities, jobs, shards, stages, tables, workers
from shared.database.shards import ShardRecord
from shared.database.stages import StageRecord
from shared.domain.columns import Column
from shared.domain.ids import new_id
from shared.domain.outcome import Settled
from shared.settings import Settings
from shared.tables.arrow import infer_columns
from shared.tables.literal_chunk import literal_chunk

WORDS: dict[str, Any] = {
    "name": "words",
    "over": "notes",
    "unit": {"rows": 1},
    "capability": "extract",
    "params": {"field": "text", "patterns": {"word": "\\w+"}},
}
LEASE_S = 30.0


def plan_of(*stages_: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "stages": list(stages_), "result": {"table": stages_[-1]["name"]}}


@dataclass
class RunningJob:
    """One job; every call is a transaction of its own, as a service would make it."""

    engine: Engine
    settings: Settings
    id: str
    rung: list[str] = field(default_factory=list)

    def plan(self) -> "RunningJob":
        """Do what a planner would."""
        plan_job(Planner(self.engine, self.settings, self.rung.append, self.rung.append), self.id)
        return self

    def collect(self) -> None:
        """Do what a collector would."""
        collect_job(Collector(self.engine, self.settings, self.rung.append), self.id)

    def stage(self, name: str = "words") -> StageRecord:
        with self.engine.connect() as connection:
            return next(one for one in stages.of_job(connection, self.id) if one.name == name)

    def shard_ids(self, status: str | None = None) -> list[int]:
        rows = self.rows(
            "SELECT id FROM shards WHERE job_id = :job AND (:status = '' OR status = :status) "
            "ORDER BY id",
            job=self.id,
            status=status or "",
        )
        return [row["id"] for row in rows]

    def claim(
        self, shard_id: int, worker: str = "wrk_a", *, alone: bool = False, can: str = "extract"
    ) -> ShardRecord | None:
        with self.engine.begin() as tx:
            return shards.claim(tx, shard_id, worker, [can], LEASE_S, may_be_alone=alone)

    def claimed(self, shard_id: int, worker: str = "wrk_a", *, alone: bool = False) -> ShardRecord:
        found = self.claim(shard_id, worker, alone=alone)
        assert found is not None
        return found

    def settle(
        self,
        shard: ShardRecord,
        units: Iterable[int],
        outcome: Any = "succeeded",
        column: str = "word",
    ) -> bool:
        settled = [outcome_of(unit, outcome, column) for unit in units]
        with self.engine.begin() as tx:
            return shards.settle(tx, shard.id, shard.fence, "wrk_a", settled, [])

    def finish(
        self, shard: ShardRecord, postponed: tuple[int, ...] = (), delay_s: float = 0
    ) -> bool:
        with self.engine.begin() as tx:
            return shards.finish(tx, shard.id, shard.fence, dict.fromkeys(postponed, delay_s))

    def work_off(self, outcome: Any = "succeeded", column: str = "word") -> None:
        """Claim, settle and finish every shard that is due; `column` is that of the output."""
        for shard_id in self.shard_ids("pending"):
            shard = self.claimed(shard_id)
            assert self.settle(shard, shard.units, outcome, column)
            assert self.finish(shard)

    def lose(self, shard: ShardRecord) -> None:
        """Let the lease of a claimed shard run out."""
        self.run(
            "UPDATE shards SET lease_until = now() - interval '1 s' WHERE id = :id", id=shard.id
        )

    def run(self, sql: str, **values: Any) -> None:
        with self.engine.begin() as tx:
            tx.execute(text(sql), values)

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(sql), values).mappings()]

    def shard(self, shard_id: int) -> dict[str, Any]:
        [row] = self.rows("SELECT * FROM shards WHERE id = :id", id=shard_id)
        return row

    def results(self) -> dict[int, str]:
        """Return unit -> outcome of every result."""
        rows = self.rows(
            """SELECT unit, outcome FROM results r JOIN stages t ON t.id = r.stage_id
              WHERE t.job_id = :job AND replica = 0""",
            job=self.id,
        )
        assert len(rows) == len({row["unit"] for row in rows})
        return {row["unit"]: row["outcome"] for row in rows}

    def status(self) -> str:
        return str(self.rows("SELECT status FROM jobs WHERE id = :id", id=self.id)[0]["status"])


def outcome_of(unit: int, outcome: Any = "succeeded", column: str = "word") -> Settled:
    if outcome == "succeeded":
        return Settled(unit, outcome, 1, output=[{"id": unit, column: f"w{unit}"}], unit_hash="00")
    return Settled(unit, outcome, 1, code="broken", detail=f"unit {unit} broke")


def queued_job(
    engine: Engine, settings: Settings, units: int = 9, *, plan: dict[str, Any] | None = None,
    shard_size: int = 3, priority: int = 5, rows: list[dict[str, Any]] | None = None,
    **policy: Any,
) -> RunningJob:  # fmt: skip
    """Return a job over table `notes`: `rows`, or `units` of them (id, text); not planned yet."""
    if rows is None:
        rows = [{"id": number, "text": f"w{number}"} for number in range(units)]
    columns = infer_columns(rows) or (Column("id", "integer"), Column("text", "string"))
    job_id, table_id = new_id("job"), new_id("tbl")
    with engine.begin() as tx:
        capabilities.publish(tx, [one.to_json() for one in builtin.manifests().values()])
        project_id = ensure_default_project(tx)
        tables.insert_loading(tx, table_id, project_id, "notes", "input")
        chunk, content_hash = literal_chunk(rows, columns)
        tables.insert_chunks(tx, table_id, [chunk])
        tables.seal(
            tx, table_id, columns=columns, key="id", content_hash=content_hash,
            statistics=None, sample=None, report=None,
        )  # fmt: skip
        inputs = (jobs.JobInput("notes", table_id, "id"),)
        jobs.insert(
            tx,
            jobs.NewJob(
                job_id,
                project_id,
                None,
                "batch",
                None,
                "given",
                plan or plan_of(WORDS),
                None,
                policy,
                priority,
                inputs,
            ),
        )
    return RunningJob(engine, replace(settings, shard_size=shard_size), job_id)


def running_job(engine: Engine, settings: Settings, units: int = 9, **more: Any) -> RunningJob:
    """Return a job whose first stage is open and cut into shards."""
    return queued_job(engine, settings, units, **more).plan()


def live_worker(engine: Engine, slots: int = 4) -> str:
    """Write down a worker that was just seen."""
    worker_id = new_id("wrk")
    with engine.begin() as tx:
        workers.register(tx, worker_id, host="here", pid=1, capabilities=["extract"], slots=slots)
    return worker_id
