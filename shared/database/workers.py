"""Worker processes as they report themselves, and the capability manifests they bring."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

LIVE_S = 10.0  # a worker silent for longer does not count for windows and shard sizes


def register(
    connection: Connection, worker_id: str, *, host: str, pid: int, capabilities: Sequence[str],
    slots: int,
) -> None:  # fmt: skip
    """Write down a worker that starts."""
    connection.execute(
        text("""INSERT INTO workers (id, host, pid, capabilities, slots)
          VALUES (:id, :host, :pid, :capabilities, :slots)"""),
        {
            "id": worker_id, "host": host, "pid": pid, "capabilities": list(capabilities),
            "slots": slots,
        },
    )  # fmt: skip


def beat(connection: Connection, worker_id: str, *, busy: int, claimed: bool) -> None:
    """Say that the worker lives, how many slots are in use and whether it claimed since."""
    connection.execute(
        text("""UPDATE workers SET seen_at = clock_timestamp(), busy = :busy,
            last_claim_at = CASE WHEN :claimed THEN clock_timestamp() ELSE last_claim_at END
          WHERE id = :id"""),
        {"id": worker_id, "busy": busy, "claimed": claimed},
    )


def sign_off(connection: Connection, worker_id: str) -> None:
    """Write down a worker that stops in order."""
    connection.execute(
        text("UPDATE workers SET stopped_at = clock_timestamp(), busy = 0 WHERE id = :id"),
        {"id": worker_id},
    )


def live_slots(connection: Connection) -> int:
    """Return the shard slots of all workers seen lately."""
    return int(
        connection.execute(
            text("""SELECT coalesce(sum(slots), 0) FROM workers WHERE stopped_at IS NULL
              AND seen_at > clock_timestamp() - make_interval(secs => :live)"""),
            {"live": LIVE_S},
        ).scalar_one()
    )


def sweep(connection: Connection, older_than_s: float) -> int:
    """Forget workers not seen for long."""
    return connection.execute(
        text("""DELETE FROM workers
          WHERE seen_at < clock_timestamp() - make_interval(secs => :age)"""),
        {"age": older_than_s},
    ).rowcount
