"""What a job's calls of models took: of its planning, and of its subtasks."""

from sqlalchemy import Connection, text

MEASURES = ("calls", "input_tokens", "output_tokens", "cost_microusd", "cache_hits")


def add_usage(
    connection: Connection, job_id: str, *, calls: int, input_tokens: int, output_tokens: int,
    cost_microusd: int,
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


def of_subtasks(connection: Connection, job_id: str) -> dict[str, int]:
    """Return the sums over every attempt of every subtask of a job's stages that call models.

    What an attempt took stands with its result where it succeeded, else with the attempt.
    """
    sums = ", ".join(
        f"coalesce(sum((u.usage->>'{name}')::bigint), 0)::bigint AS {name}" for name in MEASURES
    )
    row = connection.execute(
        text(f"""WITH of_job AS (SELECT id FROM stages WHERE job_id = :id AND queue = 'model')
          SELECT {sums} FROM (
            SELECT usage FROM results WHERE stage_id IN (SELECT id FROM of_job)
            UNION ALL
            SELECT usage FROM attempts WHERE stage_id IN (SELECT id FROM of_job)) u
          WHERE u.usage IS NOT NULL"""),
        {"id": job_id},
    ).mappings().one()  # fmt: skip
    return dict(row)


def together(*sums: dict[str, int] | None) -> dict[str, int]:
    """Return the sums of several usages, every measure present."""
    return {name: sum((one or {}).get(name) or 0 for one in sums) for name in MEASURES}
