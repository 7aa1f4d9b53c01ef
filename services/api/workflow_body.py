"""Turns a checked job body that names a workflow into the request of its run."""

from collections.abc import Mapping
from typing import Any

from flask import g

from services.api.auth import actor
from services.api.request_id import traceparent
from services.api.wired import wired
from shared.actions.job_request import InputRequest, JobRequest, WebhookRequest
from shared.actions.workflows import WorkflowRun, workflow_request


def request_of_run(run: WorkflowRun) -> JobRequest:
    """Return what the run comes to now; raises NotFound and Invalid as `workflow_request` does."""
    with wired().engine.connect() as connection:
        return workflow_request(connection, actor().project_id, run)


def read_workflow_run(
    document: Mapping[str, Any], data: Mapping[str, Any], inputs: tuple[InputRequest, ...],
    webhook: WebhookRequest | None,
) -> WorkflowRun:  # fmt: skip
    """Return the run; `document` is the body as it came, `data` what the schema made of it.

    Only what the body says itself overrides the workflow, not the schema's defaults.
    """
    policy = _given(document, data, "policy")
    if "budget" in policy:
        policy["budget"] = _given(document["policy"], data["policy"], "budget")
    says_approval = document.get("approval") is not None or document.get("pilot") is not None
    return WorkflowRun(
        name=data["workflow"]["name"],
        version=data["workflow"]["version"],
        inputs=inputs,
        policy=policy,
        priority=policy.get("priority"),
        models={name: value for name, value in data["models"].items() if value is not None},
        labels=data["labels"],
        approval=data["approval"] if says_approval else None,
        pilot=data["pilot"],
        more={"request_id": g.request_id, "traceparent": traceparent(), "webhook": webhook},
    )


def _given(document: Mapping[str, Any], data: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {member: data[name][member] for member in document.get(name) or {}}
