"""The workflow object."""

from typing import Any

from services.api.answers import moment
from shared.actions.workflows import wanted_by
from shared.contracts.plan import plan_hash
from shared.database.workflows import WorkflowRecord


def workflow_object(workflow: WorkflowRecord, *, brief: bool = False) -> dict[str, Any]:
    """Return one version of a workflow; `brief` leaves plan and defaults out (lists)."""
    own = f"/v1/workflows/{workflow.name}"
    shown = {
        "id": workflow.id,
        "name": workflow.name,
        "version": workflow.version,
        "latest_version": workflow.latest_version,
        "description": workflow.description,
        "goal": workflow.goal,
        "plan_hash": None if workflow.plan is None else plan_hash(workflow.plan),
        "inputs": wanted_by(workflow),
        "created_by": workflow.created_by,
        "created_at": moment(workflow.created_at),
        "links": {"self": own, "versions": f"{own}/versions", "runs": f"{own}/runs"},
    }
    if brief:
        return shown
    return {**shown, "plan": workflow.plan, "defaults": workflow.defaults}
