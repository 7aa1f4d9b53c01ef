"""What was used, by hour: booked when a stage ends, summed from its results until then."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from shared.domain.usage import MEASURES

PLANNING = "planning"  # stands for the capability of calls that no stage made
_SUMS = ", ".join(
    f"coalesce(sum((m.usage->>'{name}')::bigint), 0)::bigint AS {name}" for name in MEASURES
)

# What the results and tries of some stages (`of`: id, name, capability, job_id, project_id) took;
# `at` is when each ended. A try that asked several models says what each took.
_OF_STAGES = f"""SELECT s.job_id, s.name AS stage, date_trunc('hour', u.at) AS hour, s.capability,
    coalesce(m.model, '') AS model, s.project_id, {_SUMS}, 0::bigint AS cost_unknown_microusd
  FROM of s JOIN LATERAL (
    SELECT settled_at AS at, usage FROM results WHERE stage_id = s.id AND usage IS NOT NULL
    UNION ALL
    SELECT ended_at, usage FROM attempts WHERE stage_id = s.id AND usage IS NOT NULL) u ON true
  CROSS JOIN LATERAL (
    SELECT u.usage->>'model' AS model, u.usage WHERE NOT u.usage ? 'by_model'
    UNION ALL SELECT key, value FROM jsonb_each(u.usage->'by_model')) m
  GROUP BY 1, 2, 3, 4, 5, 6"""
_COLUMNS = (
    "job_id, stage, hour, capability, model, project_id, " + ", ".join(MEASURES)
    + ", cost_unknown_microusd"
)  # fmt: skip
_GROUPS = {
    "project": "u.project_id",
    "key": "j.key_id",
    "model": "nullif(u.model, '')",
    "capability": "nullif(u.capability, '')",
    "day": "to_char(u.hour, 'YYYY-MM-DD')",
    "label": "j.labels->>CAST(:label AS text)",
}
GROUPINGS: tuple[str, ...] = tuple(_GROUPS)


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose usage, by what, and from which hour to which (exclusive); None is all."""

    group_by: str  # one of GROUPINGS
    project_id: str | None
    label: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def add_planning(
    connection: Connection, job_id: str, model: str, amounts: Mapping[str, int]
) -> None:
    """Add what a call of planning took, to the hour it is now."""
    names = [name for name in MEASURES if name in amounts]
    sums = ", ".join(f"{name} = u.{name} + excluded.{name}" for name in names)
    connection.execute(
        text(f"""INSERT INTO usage_hours AS u
            (job_id, stage, hour, capability, model, project_id, {", ".join(names)})
          SELECT id, '', date_trunc('hour', clock_timestamp()), :capability, :model, project_id,
            {", ".join(f":{name}" for name in names)} FROM jobs WHERE id = :id
          ON CONFLICT (job_id, stage, hour, capability, model) DO UPDATE SET {sums}"""),
        {"id": job_id, "capability": PLANNING, "model": model, **amounts},
    )


def book_stage(connection: Connection, stage_id: int) -> None:
    """Write down what an ended stage took, once; its results may be erased after that."""
    connection.execute(
        text(f"""WITH of AS (UPDATE stages t SET usage_booked = true FROM jobs j
            WHERE t.id = :id AND t.queue = 'model' AND NOT t.usage_booked AND j.id = t.job_id
            RETURNING t.id, t.name, t.capability, t.job_id, j.project_id)
          INSERT INTO usage_hours ({_COLUMNS}) {_OF_STAGES}"""),
        {"id": stage_id},
    )


def book_ended(connection: Connection, limit: int = 100, job_id: str | None = None) -> int:
    """Book stages that ended without it (under a release that did not); return how many."""
    found = connection.execute(
        text("""SELECT id FROM stages WHERE NOT usage_booked AND queue = 'model'
          AND status IN ('closed', 'abandoned')
          AND (CAST(:job_id AS text) IS NULL OR job_id = :job_id)
          ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED"""),
        {"limit": limit, "job_id": job_id},
    ).scalars()
    ids = list(found)
    for stage_id in ids:
        book_stage(connection, stage_id)
    return len(ids)


def of_stages(connection: Connection, job_id: str) -> dict[str, int]:
    """Return what all stages of a job took so far: what is booked, and the rest as it stands."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in MEASURES)
    row = connection.execute(
        text(f"""WITH {_not_booked("t.job_id = :job_id")}
          SELECT {sums} FROM (SELECT {_COLUMNS} FROM usage_hours
              WHERE job_id = :job_id AND stage <> ''
            UNION ALL {_OF_STAGES}) u"""),
        {"job_id": job_id},
    ).mappings().one()  # fmt: skip
    return dict(row)


def page(
    connection: Connection, asked: Asked, *, after: tuple[bool, str] | None, limit: int
) -> list[dict[str, Any]]:
    """Return groups by name, those that nothing is known of last; each with its sums.

    `after` is (nothing known, name) of the group before.
    """
    sums = ", ".join(
        f"sum(u.{name})::bigint AS {name}" for name in (*MEASURES, "cost_unknown_microusd")
    )
    rows = connection.execute(
        text(f"""WITH {_not_booked("(CAST(:project AS text) IS NULL OR j.project_id = :project)")},
          grouped AS (SELECT {_GROUPS[asked.group_by]} AS grp, count(DISTINCT u.job_id) AS jobs,
              {sums}
            FROM (SELECT {_COLUMNS} FROM usage_hours
                WHERE (CAST(:project AS text) IS NULL OR project_id = :project)
              UNION ALL {_OF_STAGES}) u LEFT JOIN jobs j ON j.id = u.job_id
            WHERE (CAST(:since AS timestamptz) IS NULL OR u.hour >= :since)
              AND (CAST(:until AS timestamptz) IS NULL OR u.hour < :until) GROUP BY 1)
          SELECT * FROM grouped
          WHERE CAST(:nothing AS boolean) IS NULL
            OR (grp IS NULL, coalesce(grp, '') COLLATE "C") > (CAST(:nothing AS boolean), :name)
          ORDER BY grp IS NULL, grp COLLATE "C" LIMIT :limit"""),
        {
            "project": asked.project_id, "label": asked.label, "since": asked.since,
            "until": asked.until, "limit": limit,
            "nothing": after[0] if after else None, "name": after[1] if after else "",
        },
    ).mappings()  # fmt: skip
    return [dict(row) for row in rows]


def _not_booked(where: str) -> str:
    return f"""of AS (SELECT t.id, t.name, t.capability, t.job_id, j.project_id
      FROM stages t JOIN jobs j ON j.id = t.job_id
      WHERE NOT t.usage_booked AND t.queue = 'model' AND {where})"""
