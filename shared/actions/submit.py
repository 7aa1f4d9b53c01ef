"""Takes a job in: stages its data, checks its plan, and makes all of it visible at once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from shared.actions import quotas
from shared.actions.actor import Actor
from shared.actions.facts import plan_facts, table_facts
from shared.actions.input_address import require_input_address
from shared.actions.input_tables import require_key, require_table
from shared.actions.job_request import InputAddress, InputRequest, JobRequest
from shared.actions.load_table import Loading, Staged, seal, stage_file, stage_rows, staging
from shared.actions.refusals import Gone, Invalid, problems_of
from shared.actions.require_models import require_models
from shared.actions.stream_input import stage_stream
from shared.actions.webhook_address import require_address
from shared.actions.webhook_endpoints import add_of_job
from shared.contracts.findings import json_pointer
from shared.contracts.plan import PlanShapeError, load_plan
from shared.database import audit, awaited_inputs, events, jobs, streams, table_locks
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.jobs import JobInput, JobRecord, NewJob
from shared.domain.ids import new_id
from shared.domain.plan import Plan
from shared.plans.lint import lint
from shared.settings import Settings

BeforeCommit = Callable[[Connection, JobRecord], None]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An input whose data lies in the database, sealed already or still staged.

    Of one with an address there is no data yet: the planner fetches it.
    """

    request: InputRequest
    table_id: str
    staged: Staged | None


def submit_job(
    engine: Engine,
    settings: Settings,
    actor: Actor,
    request: JobRequest,
    before_commit: BeforeCommit,
) -> JobRecord:
    """Store a job as `queued` and return it; the caller rings the planner after this.

    `before_commit(connection, job)` runs in the one short transaction that makes job, tables and
    event visible together. Raises Invalid (`plan_invalid`, `key_not_unique`, `unreadable`,
    `model_not_configured`, ...), NotFound for a table of another project, WrongState for one that
    is still loading, and what `quotas` says where the project has no room. Whatever is raised,
    nothing is kept.
    """
    require_models(settings, request)
    if request.webhook is not None:
        require_address(settings, request.webhook.url, "/webhook/url")
    plan = _load_plan(request.plan)
    loading = Loading(engine, settings, actor, new_id("job"))
    with engine.connect() as connection:
        quotas.look_for_room(connection, settings, actor.project_id)
        for item in request.inputs:
            if item.table_id is not None:
                require_table(connection, actor, item)
    for item in request.inputs:
        if item.address is not None:
            pointer = json_pointer("inputs", item.name, "url")
            require_input_address(settings, item.address.url, pointer)
    with staging(engine) as table_ids:
        prepared = [_prepare(loading, table_ids, item) for item in request.inputs]
        if plan is not None and not any(item.address for item in request.inputs):
            _require_sound(loading, request, plan, prepared)
        return _commit(loading, request, prepared, before_commit)


def _load_plan(document: Any) -> Plan | None:
    if document is None:
        return None
    try:
        return load_plan(document)
    except PlanShapeError as error:
        problems = problems_of(error.findings, under="/plan")
        raise Invalid(problems, "plan_invalid", "The plan is not valid.") from error


def _prepare(loading: Loading, table_ids: list[str], item: InputRequest) -> _Prepared:
    if item.table_id is not None:
        require_key(loading.engine, loading.actor, item)
        return _Prepared(item, item.table_id, None)
    if item.address is not None:  # nobody knows its columns yet: a plan is linted once it is there
        return _Prepared(item, new_id("tbl"), None)
    if item.columns is not None:
        staged = stage_stream(loading, table_ids, item, item.columns)
        return _Prepared(item, staged.table_id, staged)
    key_pointer = json_pointer("inputs", item.name, "key")
    if item.file is not None:
        staged = stage_file(
            loading, table_ids, item.file, name=item.name, key=item.key, key_pointer=key_pointer
        )
    else:
        inline = "rows" if item.rows is not None else "text"
        rows = item.rows if item.rows is not None else [{"text": item.text, "name": item.name}]
        staged = stage_rows(
            loading, table_ids, rows, name=item.name, key=item.key, format_=inline,
            pointer=json_pointer("inputs", item.name, inline), key_pointer=key_pointer,
        )  # fmt: skip
    return _Prepared(item, staged.table_id, staged)


def _require_sound(
    loading: Loading, request: JobRequest, plan: Plan, prepared: list[_Prepared]
) -> None:
    """Lint the plan before the last transaction: checking SQL takes a process of its own."""
    staged = {
        item.request.name: table_facts(
            item.staged.columns, item.staged.row_count if item.request.columns is None else None,
            item.staged.key, item.staged.statistics, item.staged.sample, request.policy,
        )
        for item in prepared
        if item.staged is not None
    }  # fmt: skip
    with loading.engine.connect() as connection:
        facts = plan_facts(
            connection, _job_inputs(prepared), request.policy, request.output, loading.settings,
            project_id=loading.actor.project_id, staged=staged,
        )  # fmt: skip
    errors = [finding for finding in lint(plan, facts) if finding.severity == "error"]
    if errors:
        problems = problems_of(errors, under="/plan")
        raise Invalid(problems, "plan_invalid", "The plan cannot run as it is.")


@again_if_rolled_back
def _commit(
    loading: Loading,
    request: JobRequest,
    prepared: list[_Prepared],
    before_commit: BeforeCommit,
) -> JobRecord:
    with loading.engine.begin() as connection:
        return _written(connection, loading, request, prepared, before_commit)


def _written(
    connection: Connection,
    loading: Loading,
    request: JobRequest,
    prepared: list[_Prepared],
    before_commit: BeforeCommit,
) -> JobRecord:
    """Do it all or nothing: seal the staged tables, write the job."""
    _hold_former(connection, request)
    actor = loading.actor
    used = [item.request.table_id for item in prepared if item.request.table_id is not None]
    table_locks.hold(connection, used)
    for item in prepared:
        if item.request.address is not None:
            _await(connection, loading, item, item.request.address)
        elif item.staged is None:
            require_table(connection, actor, item.request)
        else:
            seal(connection, item.staged)
    new = _new_job(loading, request, _job_inputs(prepared))
    if request.webhook is not None:
        shown = add_of_job(connection, loading.settings, actor, new.id, request.webhook)
        new = replace(new, webhook=shown)
    job = jobs.insert(connection, new)
    for item in prepared:
        if item.request.columns is not None:
            streams.open_table(connection, item.table_id, job.id)
    events.append(connection, job.id, "job.accepted", actor=actor.name, data={"mode": job.mode})
    audit.append(connection, actor.project_id, actor.name, "job.create", job.id)
    before_commit(connection, job)
    quotas.admit_job(
        connection, loading.settings, actor.project_id, [item.table_id for item in prepared]
    )
    return job


def _await(
    connection: Connection, loading: Loading, item: _Prepared, address: InputAddress
) -> None:
    if loading.job_id is None:
        raise LookupError("an input is awaited by a job that has an id")
    awaited_inputs.insert(
        connection, item.table_id, loading.actor.project_id, loading.job_id, item.request.name,
        {"url": address.url, "format": address.format, "sheet": address.sheet},
    )  # fmt: skip


def _hold_former(connection: Connection, request: JobRequest) -> None:
    """Keep the job this one comes from from being deleted meanwhile; raise Gone if it was."""
    former_id = request.retry_of or request.forked_from
    if former_id is not None:
        former = jobs.lock(connection, former_id)
        if former is None or former.deleted_at is not None:
            raise Gone("job")


def _new_job(loading: Loading, request: JobRequest, inputs: tuple[JobInput, ...]) -> NewJob:
    if loading.job_id is None:
        raise LookupError("a job is submitted under an id made before its tables")
    return NewJob(
        id=loading.job_id,
        project_id=loading.actor.project_id,
        key_id=loading.actor.key_id,
        mode=request.mode,
        goal=request.goal,
        planning=request.planning,
        given_plan=request.plan,
        output=request.output,
        policy=request.policy,
        priority=request.priority,
        inputs=inputs,
        labels=request.labels,
        models=request.models,
        approval=request.approval,
        pilot=request.pilot,
        request_id=request.request_id,
        traceparent=request.traceparent,
        retry_of=request.retry_of,
        forked_from=request.forked_from,
        trigger_id=request.trigger_id,
        delivery_id=request.delivery_id,
        carry=request.carry,
        workflow=request.workflow,
    )


def _job_inputs(prepared: list[_Prepared]) -> tuple[JobInput, ...]:
    return tuple(JobInput(item.request.name, item.table_id, item.request.key) for item in prepared)
