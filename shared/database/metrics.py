"""What /metrics tells of the database: sums over few rows or an index, no names and no data."""

from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from shared.database.workers import LIVE_S

OPEN_STATES = (
    "queued", "planning", "piloting", "awaiting_approval", "running", "paused", "finalizing",
)  # fmt: skip
FINAL_STATES = ("succeeded", "partial", "failed", "cancelled")
OUTCOMES = ("succeeded", "failed", "skipped", "cancelled")


@dataclass(frozen=True, slots=True)
class QuickFacts:
    """What changes from second to second."""

    open_jobs: dict[str, int]
    due_shards: dict[str, int]  # by queue
    oldest_due_s: dict[str, float]
    workers_live: int
    slots: int
    busy: int
    spent_microusd: int
    unknown_microusd: int
    reserved_microusd: int


@dataclass(frozen=True, slots=True)
class SlowFacts:
    """Sums over all there is; dearer, and asked less often."""

    final_jobs: dict[str, int]
    units: dict[str, int]  # of stages, by outcome
    deliveries: dict[str, int]  # webhooks, by status
    broken: dict[str, int]  # by invariant, as the auditor last found
    looked_s: float | None = None  # how long ago it looked
    calls: dict[str, dict[str, int]] = field(default_factory=dict)  # by model


def quick_facts(connection: Connection) -> QuickFacts:
    """Look at jobs that are not final, at their due shards, at workers and the projects' books."""
    due = connection.execute(
        text("""SELECT s.queue, count(*) AS due,
            extract(epoch FROM clock_timestamp() - min(s.due_at)) AS oldest_s
          FROM shards s JOIN jobs j ON j.id = s.job_id
          WHERE j.status IN ('running', 'piloting') AND s.status IN ('pending', 'dispatched')
            AND s.due_at <= clock_timestamp() GROUP BY s.queue""")
    ).all()
    workers = connection.execute(
        text("""SELECT count(*) AS live, coalesce(sum(slots), 0) AS slots,
            coalesce(sum(busy), 0) AS busy FROM workers
          WHERE stopped_at IS NULL
            AND seen_at > clock_timestamp() - make_interval(secs => :live)"""),
        {"live": LIVE_S},
    ).one()
    books = connection.execute(
        text("""SELECT coalesce(sum(spent_microusd), 0) AS spent,
            coalesce(sum(unknown_microusd), 0) AS unknown,
            coalesce(sum(reserved_microusd), 0) AS reserved
          FROM spend_accounts a JOIN projects p ON p.id = a.id""")
    ).one()
    return QuickFacts(
        open_jobs=_counts(
            connection,
            """SELECT status, count(*) FROM jobs
              WHERE status NOT IN ('succeeded', 'partial', 'failed', 'cancelled')
              GROUP BY status""",
        ),
        due_shards={row.queue: int(row.due) for row in due},
        oldest_due_s={row.queue: float(row.oldest_s) for row in due},
        workers_live=int(workers.live),
        slots=int(workers.slots),
        busy=int(workers.busy),
        spent_microusd=int(books.spent),
        unknown_microusd=int(books.unknown),
        reserved_microusd=int(books.reserved),
    )


def slow_facts(connection: Connection) -> SlowFacts:
    """Look at all jobs, stages and deliveries that are kept, and at the auditor's last look."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in OUTCOMES)
    units = connection.execute(text(f"SELECT {sums} FROM stages")).mappings().one()
    looks = connection.execute(
        text("""SELECT invariant, broken,
            extract(epoch FROM clock_timestamp() - looked_at) AS age_s FROM invariant_looks""")
    ).all()
    calls = connection.execute(
        text("""SELECT model, sum(calls)::bigint AS calls,
            sum(input_tokens)::bigint AS input_tokens,
            sum(output_tokens)::bigint AS output_tokens FROM usage_hours
          WHERE model <> '' GROUP BY model ORDER BY model LIMIT 1000""")
    ).mappings()
    return SlowFacts(
        final_jobs=_counts(
            connection,
            """SELECT status, count(*) FROM jobs WHERE finished_at IS NOT NULL
              GROUP BY status""",
        ),
        units=dict(units),
        deliveries=_counts(connection, "SELECT status, count(*) FROM deliveries GROUP BY status"),
        broken={row.invariant: int(row.broken) for row in looks},
        looked_s=max((float(row.age_s) for row in looks), default=None),
        calls={row["model"]: {name: row[name] for name in row if name != "model"} for row in calls},
    )


def _counts(connection: Connection, query: str) -> dict[str, int]:
    return {str(name): int(count) for name, count in connection.execute(text(query))}
