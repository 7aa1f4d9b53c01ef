"""A trigger's job: its checked template is stored, and filled from the payload of a delivery."""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from shared.actions.job_request import InputAddress, InputRequest, JobRequest, WebhookRequest
from shared.actions.refusals import FieldProblem, Invalid
from shared.actions.workflows import WorkflowRun, workflow_request
from shared.contracts.json_values import value_findings
from shared.database.engine import Connection
from shared.database.triggers import TriggerRecord
from shared.domain.hook_mapping import Filled, MappingError, fill

MOST_LABELS = 64


def prepared_of(work: JobRequest | WorkflowRun) -> dict[str, Any]:
    """Return a checked template as a JSON value; of its inputs those that never change."""
    kind = "request" if isinstance(work, JobRequest) else "run"
    return {kind: asdict(work)}


def request_for(
    connection: Connection, trigger: TriggerRecord, payload: Any, delivery_id: str | None
) -> JobRequest:
    """Return the job a payload makes; of a workflow its version of now.

    Raises Invalid (`mapping_failed`) where the payload lacks something, and NotFound or Invalid as
    `workflow_request` does.
    """
    mapping = trigger.target.get("mapping") or {}
    try:
        filled = fill(mapping, payload)
    except MappingError as error:
        raise Invalid([FieldProblem(error.pointer, error.detail)], "mapping_failed") from error
    _require_storable(filled)
    prepared = trigger.prepared or {}
    if "run" in prepared:
        request = _of_workflow(connection, trigger.project_id, prepared["run"], filled)
    else:
        request = _of_template(prepared["request"], filled)
    return replace(request, trigger_id=trigger.id, delivery_id=delivery_id)


def body_for(trigger: TriggerRecord, request: JobRequest) -> dict[str, Any]:
    """Return what a client would have posted to /v1/jobs for the same job."""
    said: dict[str, Any] = trigger.target.get("job") or {}
    inputs = {
        item.name: _input_body(item) | (said.get("inputs") or {}).get(item.name, {})
        for item in request.inputs
    }
    goal = {} if request.goal is None or request.workflow is not None else {"goal": request.goal}
    return {**said, **goal, "inputs": inputs, "labels": request.labels}


def _of_template(stored: Mapping[str, Any], filled: Filled) -> JobRequest:
    known = _still_known(JobRequest, stored)
    webhook = _webhook(known.pop("webhook", None))
    inputs = _stored_inputs(known.pop("inputs")) + _inputs(filled)
    request = JobRequest(**known, webhook=webhook, inputs=inputs)
    labels = _labels(request.labels, filled)
    return replace(request, goal=filled.goal or request.goal, labels=labels)


def _of_workflow(
    connection: Connection, project_id: str, stored: Mapping[str, Any], filled: Filled
) -> JobRequest:
    known = _still_known(WorkflowRun, stored)
    more = _still_known(JobRequest, known.pop("more"))
    if more.get("webhook") is not None:
        more["webhook"] = _webhook(more["webhook"])
    inputs = _stored_inputs(known.pop("inputs")) + _inputs(filled)
    run = WorkflowRun(**known, more=more, inputs=inputs)
    run = replace(run, labels=_labels(run.labels, filled))
    return workflow_request(connection, project_id, run)


def _still_known(kind: type[JobRequest | WorkflowRun], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields this release has; a trigger outlives the one it was made in."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}


def _webhook(stored: Mapping[str, Any] | None) -> WebhookRequest | None:
    return None if stored is None else WebhookRequest(stored["url"], tuple(stored["events"]))


def _stored_inputs(stored: list[dict[str, Any]]) -> tuple[InputRequest, ...]:
    return tuple(InputRequest(**{**one, "address": _address(one["address"])}) for one in stored)


def _address(stored: Mapping[str, Any] | None) -> InputAddress | None:
    return None if stored is None else InputAddress(**stored)


def _inputs(filled: Filled) -> tuple[InputRequest, ...]:
    return tuple(InputRequest(name, **one) for name, one in filled.inputs.items())


def _labels(said: Mapping[str, str], filled: Filled) -> dict[str, str]:
    labels = {**said, **filled.labels}
    if len(labels) > MOST_LABELS:
        told = f"A job has at most {MOST_LABELS} labels."
        raise Invalid([FieldProblem("/mapping/labels", told)], "mapping_failed")
    return labels


def _require_storable(filled: Filled) -> None:
    """Refuse what PostgreSQL cannot hold; rows are looked at when they are stored."""
    texts = {"/mapping/goal": filled.goal or ""}
    texts |= {f"/mapping/labels/{name}": text for name, text in filled.labels.items()}
    wrong = [
        FieldProblem(pointer, found.detail)
        for pointer, text in texts.items()
        for found in value_findings(text)
    ]
    if wrong:
        raise Invalid(wrong, "mapping_failed")


def _input_body(item: InputRequest) -> dict[str, Any]:
    said = {"rows": item.rows, "text": item.text, "table": item.table_id, "key": item.key}
    return {name: value for name, value in said.items() if value is not None}
