"""What error files are made of: lines never run, and the answers of those that failed."""

from collections.abc import Sequence

from sqlalchemy import Connection, text


def last_raw(connection: Connection, stage_id: int, units: Sequence[int]) -> dict[int, str]:
    """Return unit -> what was kept of the answer to its last try, where anything was."""
    rows = connection.execute(
        text("""SELECT DISTINCT ON (unit) unit, raw FROM attempts
          WHERE stage_id = :stage_id AND unit = ANY(:units) AND replica = 0
          ORDER BY unit, number DESC"""),
        {"stage_id": stage_id, "units": list(units)},
    )
    return {row.unit: row.raw for row in rows if row.raw is not None}


def without_outcome(
    connection: Connection, stage_id: int | None, first_unit: int, end_unit: int
) -> list[int]:
    """Return the units of [first_unit, end_unit) that have no outcome, ascending."""
    return list(
        connection.execute(
            text("""SELECT u.unit FROM generate_series(CAST(:first AS bigint), :last) u(unit)
              WHERE NOT EXISTS (SELECT 1 FROM results r
                WHERE r.stage_id = :stage_id AND r.unit = u.unit AND r.replica = 0)
              ORDER BY u.unit"""),
            {"stage_id": stage_id, "first": first_unit, "last": end_unit - 1},
        ).scalars()
    )
