"""What a project may take of the service at most, and the refusals that say what to do about it.

Early looks refuse before data is loaded; `admit_job` and `admit_table` are the ones that hold: they
count in the transaction that adds, last in it, while others of the same project wait.
"""

from collections.abc import Sequence

from shared.actions.refusals import FieldProblem, Forbidden, Invalid, Later
from shared.database import projects, quotas, spend
from shared.database.engine import Connection
from shared.domain.quota import Quotas, is_over
from shared.settings import Settings

QUEUE_RETRY_S = 5
STREAM_RETRY_S = 10


def deployment_quotas(settings: Settings) -> Quotas:
    """Return what holds for a project that has no quotas of its own."""
    return Quotas(
        requests_per_minute=settings.quota_requests_per_minute,
        concurrent_jobs=settings.quota_concurrent_jobs,
        open_streams=settings.quota_open_streams,
        stored_bytes=settings.quota_stored_bytes,
        rows_per_job=settings.quota_rows_per_job,
        spend_microusd_per_day=int(settings.quota_spend_usd_per_day * 1_000_000),
    )


def quotas_of(connection: Connection, settings: Settings, project_id: str) -> Quotas:
    """Return the limits that hold for a project; 0 is no limit."""
    return deployment_quotas(settings).with_own(quotas.own(connection, project_id))


def look_for_room(connection: Connection, settings: Settings, project_id: str) -> None:
    """Refuse a job that cannot be taken anyway, before its data is read.

    Raises Later (`queue_full`, `budget_exhausted`) and Forbidden (`storage_quota`).
    """
    limits = quotas_of(connection, settings, project_id)
    _require_spend(connection, project_id, limits)
    most = limits.concurrent_jobs
    if most and quotas.open_jobs(connection, project_id, most) >= most:
        raise _queue_full(most)
    _require_bytes(connection, project_id, limits)


def look_for_bytes(connection: Connection, settings: Settings, project_id: str) -> None:
    """Refuse data there is no room for, before it is read. Raises Forbidden (`storage_quota`)."""
    _require_bytes(connection, project_id, quotas_of(connection, settings, project_id))


def admit_job(
    connection: Connection, settings: Settings, project_id: str, table_ids: Sequence[str]
) -> None:
    """Let the job that was just written be committed, or raise as `look_for_room` does.

    Also raises Invalid (`too_many_rows`). To be called last in its transaction: jobs and tables of
    the project are counted one transaction after the other.
    """
    limits = quotas_of(connection, settings, project_id)
    require_rows(quotas.rows_of(connection, list(table_ids)), limits, "/inputs")
    if not limits.concurrent_jobs and not limits.stored_bytes:
        return
    projects.hold(connection, project_id)
    most = limits.concurrent_jobs
    if most and is_over(quotas.open_jobs(connection, project_id, most + 1), most):
        raise _queue_full(most)
    _require_bytes(connection, project_id, limits)


def admit_input(
    connection: Connection, settings: Settings, project_id: str, table_ids: Sequence[str]
) -> None:
    """Let an input that came after its job was taken in be committed; `table_ids` are all of it.

    Raises Invalid (`too_many_rows`) and Forbidden (`storage_quota`).
    """
    limits = quotas_of(connection, settings, project_id)
    require_rows(quotas.rows_of(connection, list(table_ids)), limits, "/inputs")
    admit_table(connection, settings, project_id)


def admit_table(connection: Connection, settings: Settings, project_id: str) -> None:
    """Let the table that was just sealed be committed. Raises Forbidden (`storage_quota`)."""
    limits = quotas_of(connection, settings, project_id)
    if limits.stored_bytes:
        projects.hold(connection, project_id)
        _require_bytes(connection, project_id, limits)


def require_rows(rows: int, limits: Quotas, pointer: str) -> None:
    """Raise Invalid (`too_many_rows`) where a job would have more input rows than it may."""
    if is_over(rows, limits.rows_per_job):
        detail = (
            f"A job of this project has at most {limits.rows_per_job} input rows, and this would "
            f"be {rows}; split it, or ask the operator for more (rows_per_job)."
        )
        raise Invalid([FieldProblem(pointer, detail)], "too_many_rows", detail)


def most_open_streams(connection: Connection, settings: Settings, project_id: str) -> int:
    """Return how many event streams a project may keep open; 0 is no limit."""
    return quotas_of(connection, settings, project_id).open_streams


def too_many_open_streams(most: int) -> Later:
    """Return the refusal of one stream more."""
    detail = f"This project keeps at most {most} event streams open; close one, or read pages."
    return Later("too_many_open_streams", detail, STREAM_RETRY_S)


def _require_spend(connection: Connection, project_id: str, limits: Quotas) -> None:
    most = limits.spend_microusd_per_day
    if most and spend.spent_today(connection, project_id) >= most:
        raise Later(
            "budget_exhausted",
            f"This project has spent the {most} micro-USD it may in a day; it may again after "
            "midnight UTC, or when the operator raises spend_microusd_per_day.",
            quotas.seconds_to_midnight(connection),
        )


def _require_bytes(connection: Connection, project_id: str, limits: Quotas) -> None:
    most = limits.stored_bytes
    if most and is_over(quotas.stored_bytes(connection, project_id), most):
        raise Forbidden(
            "storage_quota",
            f"The tables of this project take more than the {most} bytes they may; delete final "
            "jobs or tables, or ask the operator for more (stored_bytes).",
        )


def _queue_full(most: int) -> Later:
    detail = (
        f"This project has {most} jobs that are not final, and may have no more; wait for some to "
        "end, cancel some, or ask the operator for more (concurrent_jobs)."
    )
    return Later("queue_full", detail, QUEUE_RETRY_S)
