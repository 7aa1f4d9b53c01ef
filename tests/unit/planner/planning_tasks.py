"""Planning tasks as plain data."""

from dataclasses import fields
from typing import Any

from services.planner.planning_task import PlanningTask
from shared.database.jobs import JobRecord
from shared.domain.columns import Column
from shared.plans.facts import TableFacts
from tests.unit.plans.plan_facts import facts

TEXT = TableFacts(
    columns=(Column("text", "string"), Column("name", "string")),
    rows=1,
    mean_chars={"text": 2_000, "name": 6},
)


def job(**changes: Any) -> JobRecord:
    """A job in planning, as little of it as engines look at."""
    blank: dict[str, Any] = {item.name: None for item in fields(JobRecord)}
    known = {
        "id": "job_1", "project_id": "prj_1", "status": "planning", "planning": "auto",
        "goal": "Do it.", "policy": {}, "models": {}, "priority": 5,
    }  # fmt: skip
    return JobRecord(**(blank | known | changes))


def task(
    *, tables: dict[str, TableFacts] | None = None, texts: tuple[str, ...] = (),
    models: tuple[str, ...] = ("llm",), round: int = 1, former: tuple[str, ...] = (),
    taken: tuple[str, ...] = (), **of_job: Any,
) -> PlanningTask:  # fmt: skip
    """A planning task over `tables`, of which `texts` were given as texts."""
    return PlanningTask(
        job=job(**of_job),
        facts=facts(*models, tables=tables),
        table_ids={},
        round=round,
        former_hashes=frozenset(former),
        taken=frozenset(taken),
        texts=frozenset(texts),
    )
