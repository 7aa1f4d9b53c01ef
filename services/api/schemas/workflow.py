"""The bodies of POST /v1/workflows and of its runs."""

from typing import Any

from marshmallow import ValidationError, fields, post_load, validates_schema

from services.api.schemas.job_request import (
    MAX_GOAL,
    PLANNINGS,
    JobRequestSchema,
    ModelsSchema,
    PilotSchema,
    PolicySchema,
    label_name,
    planning_problem,
)
from services.api.schemas.strict import AnyObject, Choice, Named, StrictSchema, Text
from services.api.schemas.workflow_ref import Version, WorkflowName
from shared.actions.edit_job import MAX_LABELS

_DESCRIPTION = 2_000


class WorkflowDefaultsSchema(StrictSchema):
    """The options of a workflow's jobs, as a job's body has them; a run may say them anew."""

    output = AnyObject(
        allow_none=True,
        load_default=None,
        metadata={"description": "JSON Schema of one result row."},
    )
    planning = Choice(PLANNINGS, load_default="auto")
    approval = Choice(("none", "plan", "pilot"), load_default="none")
    pilot = fields.Nested(PilotSchema, allow_none=True, load_default=None)
    policy = fields.Nested(PolicySchema, load_default=lambda: PolicySchema().load({}))
    models = fields.Nested(ModelsSchema, load_default=dict, allow_none=True)
    labels = Named(
        label_name, Text(1_000, blank=True), MAX_LABELS, load_default=dict, allow_none=True
    )

    @post_load
    def _complete(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        if data["pilot"] is not None:
            data["approval"] = "pilot"
        elif data["approval"] == "pilot":
            data["pilot"] = PilotSchema().load({})
        models = data["models"] or {}
        data["models"] = {name: value for name, value in models.items() if value is not None}
        return data | {"labels": data["labels"] or {}}


class WorkflowCreateSchema(StrictSchema):
    """A plan or a goal under a name; a name that is there gets its next version."""

    name = WorkflowName(required=True)
    description = Text(_DESCRIPTION, allow_none=True, load_default=None)
    goal = Text(MAX_GOAL, allow_none=True, load_default=None)
    plan = fields.Raw(
        allow_none=True,
        load_default=None,
        metadata={"description": "A plan document; what its inputs do not decide is checked now."},
    )
    defaults = fields.Nested(
        WorkflowDefaultsSchema, load_default=lambda: WorkflowDefaultsSchema().load({})
    )

    @validates_schema
    def _something_to_do(self, data: dict[str, Any], **_: Any) -> None:
        plan, planning = data.get("plan"), (data.get("defaults") or {}).get("planning")
        if plan is None and data.get("goal") is None:
            raise ValidationError("Say what to do: a goal, or a plan.", "goal")
        if problem := planning_problem(planning, plan):
            raise ValidationError({"defaults": {"planning": [problem]}})


class WorkflowRunSchema(JobRequestSchema):
    """Inputs of a run, and what differs from the workflow's defaults; what is silent stays."""

    class Meta:
        """What a workflow says itself."""

        exclude = ("goal", "plan", "planning", "output", "workflow")

    version = Version()

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _something_to_do(self, data: dict[str, Any], original: Any, **_: Any) -> None:
        """Leave it to the body that names the workflow, which this one becomes."""
