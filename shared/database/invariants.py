"""What must hold over the whole database (01 section 10), each as a query for what breaks it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

SHOWN = 20  # of each kind; one is reason enough to look
PATIENCE_S = 60  # a process may take this long before what it should do counts as forgotten

_FINAL = "('succeeded', 'partial', 'failed', 'cancelled')"
_OPEN_SHARD = "('pending', 'dispatched', 'running')"

# Every query takes :since (stages closed and jobs finished before are not looked at again; null
# for all) and :patience, and returns (object, detail) of what is wrong.
QUERIES = {
    "ledger": """
      SELECT j.id || '/' || t.name, format('ledger %s+%s, recount %s+%s', t.succeeded, t.failed,
        r.good, r.bad)
      FROM stages t JOIN jobs j ON j.id = t.job_id, LATERAL (
        SELECT count(*) FILTER (WHERE outcome = 'succeeded') AS good,
          count(*) FILTER (WHERE outcome IN ('invalid', 'failed', 'refused')) AS bad
        FROM results WHERE stage_id = t.id AND replica = 0) r
      WHERE t.status IN ('closed', 'abandoned') AND j.deleted_at IS NULL AND j.erased_at IS NULL
        AND (CAST(:since AS timestamptz) IS NULL OR t.closed_at >= :since)
        AND (r.good, r.bad) <> (t.succeeded, t.failed)""",
    "units_explained": """
      SELECT j.id || '/' || t.name, format('%s units, %s explained', t.unit_count,
        t.succeeded + t.failed + t.skipped + t.cancelled)
      FROM stages t JOIN jobs j ON j.id = t.job_id
      WHERE t.status IN ('closed', 'abandoned') AND t.unit_count IS NOT NULL
        AND (CAST(:since AS timestamptz) IS NULL OR t.closed_at >= :since)
        AND t.unit_count <> t.succeeded + t.failed + t.skipped + t.cancelled""",
    "shards_part_the_units": """
      SELECT t.job_id || '/' || t.name, format('%s units, %s in shards', t.unit_count, s.units)
      FROM stages t JOIN jobs j ON j.id = t.job_id,
        LATERAL (SELECT coalesce(sum(unit_count), 0) AS units FROM shards WHERE stage_id = t.id) s
      WHERE t.fully_cut AND j.deleted_at IS NULL AND j.erased_at IS NULL
        AND (CAST(:since AS timestamptz) IS NULL OR t.closed_at IS NULL OR t.closed_at >= :since)
        AND s.units <> t.unit_count AND t.ended_early IS NULL AND t.status <> 'abandoned'""",
    "shard_counts": """
      SELECT 'shard ' || s.id, format('counted %s+%s, results %s+%s', s.succeeded, s.failed,
        r.good, r.bad)
      FROM shards s JOIN jobs j ON j.id = s.job_id, LATERAL (
        SELECT count(*) FILTER (WHERE outcome = 'succeeded') AS good,
          count(*) FILTER (WHERE outcome <> 'succeeded') AS bad
        FROM results WHERE shard_id = s.id AND replica = 0) r
      WHERE s.status = 'done' AND j.deleted_at IS NULL AND j.erased_at IS NULL
        AND (CAST(:since AS timestamptz) IS NULL OR s.done_at >= :since)
        AND (r.good, r.bad) <> (s.succeeded, s.failed)""",
    "table_rows": f"""
      SELECT d.id, format('%s rows told, %s stored', d.row_count, c.stored)
      FROM tables d JOIN jobs j ON j.id = d.job_id, LATERAL (
        SELECT coalesce(sum(row_count), 0) AS stored FROM table_chunks WHERE table_id = d.id) c
      WHERE d.status = 'sealed' AND j.deleted_at IS NULL AND j.erased_at IS NULL
        AND (CAST(:since AS timestamptz) IS NULL OR d.sealed_at >= :since)
        AND d.row_count <> c.stored AND j.status IN {_FINAL}""",
    "final_without_open_shards": f"""
      SELECT DISTINCT j.id, j.status || ' with open shards'
      FROM jobs j JOIN shards s ON s.job_id = j.id
      WHERE j.status IN {_FINAL} AND s.status IN {_OPEN_SHARD}
        AND (CAST(:since AS timestamptz) IS NULL OR j.finished_at >= :since)""",
    "one_ending": f"""
      SELECT j.id, format('%s events job.finished', count(e.id))
      FROM jobs j LEFT JOIN events e ON e.job_id = j.id AND e.type = 'job.finished'
      WHERE j.status IN {_FINAL} AND j.deleted_at IS NULL
        AND (CAST(:since AS timestamptz) IS NULL OR j.finished_at >= :since)
      GROUP BY j.id HAVING count(e.id) <> 1""",
    # summed by owner first: a look at the slices for each account would take jobs times slices
    "books": """
      SELECT a.id, format('reserved %s of %s micro-USD, spent %s of %s', a.reserved_microusd,
        coalesce(s.reserved, 0), a.spent_microusd, coalesce(s.spent, 0))
      FROM spend_accounts a LEFT JOIN (
        SELECT o.id, sum(reserved_microusd) AS reserved, sum(reserved_tokens) AS tokens,
          sum(spent_microusd) AS spent
        FROM spend CROSS JOIN LATERAL (VALUES (job_id), (project_id)) o(id) GROUP BY o.id) s
        ON s.id = a.id
      WHERE (a.reserved_microusd, a.reserved_tokens)
          <> (coalesce(s.reserved, 0), coalesce(s.tokens, 0))
        OR a.spent_microusd < s.spent""",
    "rescued_in_time": """
      SELECT 'shard ' || s.id, format('lease ended %s ago', clock_timestamp() - s.lease_until)
      FROM shards s WHERE s.status = 'running'
        AND s.lease_until < clock_timestamp() - make_interval(secs => :patience)""",
    "goes_on": f"""
      SELECT j.id, 'running, and nothing is due' FROM jobs j
      WHERE j.status = 'running' AND j.replan_round IS NULL
        AND NOT EXISTS (SELECT 1 FROM shards s WHERE s.job_id = j.id AND s.status IN {_OPEN_SHARD})
        AND NOT EXISTS (SELECT 1 FROM stages t WHERE t.job_id = j.id
          AND t.status IN ('waiting', 'open', 'sealing'))
        AND NOT EXISTS (SELECT 1 FROM streams s WHERE s.job_id = j.id AND s.sealed_at IS NULL)
        AND coalesce((SELECT max(closed_at) FROM stages t WHERE t.job_id = j.id), j.started_at)
          < clock_timestamp() - make_interval(secs => :patience)""",
}


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that should never be: the invariant's name, the object, and how it is."""

    invariant: str
    object_id: str
    detail: str


def breaches(connection: Connection, *, since: Any = None) -> Iterator[Breach]:
    """Look for what breaks an invariant; at most `SHOWN` of each. Reads only.

    `since` (a time of the database) leaves out what ended before, so that a look stays cheap.
    """
    for name, query in QUERIES.items():
        known = {"since": since, "patience": PATIENCE_S}
        values = {name: value for name, value in known.items() if f":{name}" in query}
        for object_id, detail in connection.execute(text(f"{query} LIMIT {SHOWN}"), values):
            yield Breach(name, str(object_id), str(detail))


def note_look(connection: Connection, found: Iterable[Breach]) -> None:
    """Write down how many breaches of each invariant a look found, none included."""
    counts = Counter(breach.invariant for breach in found)
    connection.execute(
        text("""INSERT INTO invariant_looks (invariant, broken) VALUES (:invariant, :broken)
          ON CONFLICT (invariant) DO UPDATE
          SET broken = excluded.broken, looked_at = clock_timestamp()"""),
        [{"invariant": name, "broken": counts[name]} for name in QUERIES],
    )


def recent(connection: Connection, seconds: float) -> Any:
    """Return the database's time `seconds` ago."""
    return connection.execute(
        text("SELECT clock_timestamp() - make_interval(secs => :seconds)"), {"seconds": seconds}
    ).scalar_one()
