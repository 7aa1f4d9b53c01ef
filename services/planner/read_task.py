"""Reads what one round of planning starts from: tables, limits, and what former rounds came to."""

from collections.abc import Callable
from dataclasses import replace

from services.planner.planning_task import PlanningTask
from shared.actions.facts import plan_facts, table_facts
from shared.database import jobs, results, rounds, stages, tables
from shared.database.engine import Connection, Engine
from shared.database.jobs import JobInput, JobRecord
from shared.database.rounds import RoundPlan
from shared.database.stages import StageRecord
from shared.plans.facts import TableFacts
from shared.plans.prompt.request import FormerRound
from shared.plans.repeats import stages_hash
from shared.settings import Settings

_COUNTED = ("units", "succeeded", "failed", "skipped", "cancelled")


def read_task(
    engine: Engine, settings: Settings, job: JobRecord, lost: Callable[[], bool]
) -> PlanningTask:
    """Return the planning task of a leased job: its first round, or the one that is due."""
    with engine.connect() as connection:
        given = jobs.inputs(connection, job.id)
        ran = rounds.ran(connection, job.id)
        ended = stages.of_job(connection, job.id) if ran else []
        made = _made_tables(ran, ended)
        facts = plan_facts(
            connection,
            [*given, *(JobInput(name, id_, None) for name, id_ in made.items())],
            job.policy, job.output, settings, project_id=job.project_id,
            staged=_facts_of(connection, job, ended, made),
        )  # fmt: skip
        return PlanningTask(
            job=job,
            facts=replace(facts, earlier_stages=frozenset(made)),
            table_ids={item.name: item.table_id for item in given} | made,
            round=job.replan_round or 1,
            former=_former(connection, job, ran, ended),
            former_hashes=frozenset(stages_hash(plan.document) for plan in ran),
            taken=frozenset({stage.name for stage in ended} | _literals(ran)),
            texts=_texts(connection, given),
            lost=lost,
        )


def _made_tables(ran: list[RoundPlan], ended: list[StageRecord]) -> dict[str, str]:
    """Return the readable tables of former rounds by name: closed stages and literal tables."""
    made = {stage.name: stage.output_table_id for stage in ended if stage.status == "closed"}
    read = {name: id_ for stage in ended for name, id_ in stage.reads.items()}
    return made | {name: read[name] for name in sorted(_literals(ran)) if name in read}


def _literals(ran: list[RoundPlan]) -> set[str]:
    return {name for plan in ran for name in plan.document.get("tables") or {}}


def _facts_of(
    connection: Connection, job: JobRecord, ended: list[StageRecord], made: dict[str, str]
) -> dict[str, TableFacts]:
    keys = {stage.name: stage.keys for stage in ended}
    found = {}
    for name, table_id in made.items():
        table = tables.find(connection, table_id)
        if table is None:
            raise LookupError(f"table {name} of a former round is gone")
        key = next(iter(keys.get(name, ())), None)
        found[name] = table_facts(
            table.columns, table.row_count, key, table.statistics, table.sample, job.policy
        )
    return found


def _former(
    connection: Connection, job: JobRecord, ran: list[RoundPlan], ended: list[StageRecord]
) -> tuple[FormerRound, ...]:
    """Return coverage and failure clusters of each round; quotes of rows only where allowed."""
    clusters = results.failure_clusters(connection, job.id) if ran else []
    sees_rows = job.policy.get("planner_sees", "samples") == "samples"
    shown = ["stage", "code", "count", *(["sample"] if sees_rows else [])]
    found = []
    for plan in ran:
        own = [stage for stage in ended if stage.plan_version == plan.version]
        names = tuple(stage.name for stage in own)
        coverage = {
            name: sum((stage.unit_count or 0) if name == "units" else getattr(stage, name)
                      for stage in own)
            for name in _COUNTED
        }  # fmt: skip
        failures = tuple(
            {name: cluster[name] for name in shown}
            for cluster in clusters
            if cluster["stage"] in names
        )
        result = str(plan.document["result"]["table"])
        found.append(FormerRound(plan.round, result, names, coverage, failures))
    return tuple(found)


def _texts(connection: Connection, given: list[JobInput]) -> frozenset[str]:
    """Return the inputs that were given as one text."""
    found = set()
    for item in given:
        table = tables.find(connection, item.table_id)
        if table is not None and (table.report or {}).get("format") == "text":
            found.add(item.name)
    return frozenset(found)
