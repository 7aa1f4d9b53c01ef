"""What a job's calls of models took: of its planning, and of its subtasks."""

from sqlalchemy import Connection, text

from shared.database import usage_hours
from shared.domain.usage import MEASURES


def add_usage(
    connection: Connection, job_id: str, *, model: str, calls: int, input_tokens: int,
    output_tokens: int, cost_microusd: int,
) -> None:  # fmt: skip
    """Add to what `jobs.usage` says; while a job is not final that is what its planning took."""
    added = {
        "calls": calls, "input_tokens": input_tokens, "output_tokens": output_tokens,
        "cost_microusd": cost_microusd,
    }  # fmt: skip
    sums = ", ".join(
        f"'{name}', coalesce((usage->>'{name}')::bigint, 0) + CAST(:{name} AS bigint)"
        for name in added
    )
    connection.execute(
        text(f"""UPDATE jobs
          SET usage = coalesce(usage, '{{}}'::jsonb) || jsonb_build_object({sums})
          WHERE id = :id AND finished_at IS NULL"""),
        {"id": job_id, **added},
    )
    usage_hours.add_planning(connection, job_id, model, added)


def of_subtasks(connection: Connection, job_id: str) -> dict[str, int]:
    """Return the sums over every attempt of every subtask of a job's stages that call models.

    What an attempt took stands with its result where it succeeded, else with the attempt; of a
    stage that ended it is booked.
    """
    return usage_hours.of_stages(connection, job_id)


def together(*sums: dict[str, int] | None) -> dict[str, int]:
    """Return the sums of several usages, every measure present."""
    return {name: sum((one or {}).get(name) or 0 for one in sums) for name in MEASURES}
