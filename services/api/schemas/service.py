"""The bodies of what is done with keys and projects."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from services.api.schemas.strict import Choice, Flag, Fraction, StrictSchema, Text
from services.api.schemas.webhooks import OVERLAP_S, Moment
from shared.actions.actor import ROLES
from shared.actions.keys import GRANTABLE, MOST_OVERLAP_S
from shared.contracts.plan_fields import WholeNumber
from shared.domain.ids import is_id

MOST_TOOLS = 1_000
_MOST = 2**31 - 1
_MOST_BIG = 2**53 - 1  # what every JSON reader can hold


class ProjectId(Text):
    """The id of a project; whether there is one is looked at later."""

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> str:
        text = super()._deserialize(value, *rest, **more)
        if not is_id(text, "prj"):
            raise ValidationError("Write the id of a project, prj_...")
        return text


class KeyRequestSchema(StrictSchema):
    """A key to be made; its project is that of the key which asks, unless an operator's says."""

    name = Text(200, required=True)
    role = Choice(tuple(ROLES), metadata={"description": "A fixed set of scopes."})
    scopes = fields.List(
        Choice(GRANTABLE),
        validate=validate.Length(min=1, max=len(GRANTABLE)),
        metadata={"description": "Instead of a role. `system` is an operator's: all projects."},
    )
    expires_at = Moment(allow_none=True, load_default=None)
    requests_per_minute = WholeNumber(
        allow_none=True,
        load_default=None,
        validate=validate.Range(0, _MOST),
        metadata={"description": "Null: as the deployment says. 0: only its project's limit."},
    )
    project = ProjectId(40, allow_none=True, load_default=None)

    @validates_schema
    def _one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        if ("role" in data) == ("scopes" in data):
            raise ValidationError("Give either a role or scopes.", "role")


class KeyRotationSchema(StrictSchema):
    """For how long the former secret opens too."""

    overlap_s = WholeNumber(
        load_default=OVERLAP_S,
        validate=validate.Range(0, MOST_OVERLAP_S),
        metadata={"description": "Seconds in which both secrets are good; 0: the former is out."},
    )


class QuotasSchema(StrictSchema):
    """Limits of a project; 0 is no limit, null takes its own away: the deployment's holds."""

    requests_per_minute = WholeNumber(allow_none=True, validate=validate.Range(0, _MOST))
    concurrent_jobs = WholeNumber(allow_none=True, validate=validate.Range(0, _MOST))
    open_streams = WholeNumber(allow_none=True, validate=validate.Range(0, _MOST))
    stored_bytes = WholeNumber(allow_none=True, validate=validate.Range(0, _MOST_BIG))
    rows_per_job = WholeNumber(allow_none=True, validate=validate.Range(0, _MOST_BIG))
    spend_microusd_per_day = WholeNumber(allow_none=True, validate=validate.Range(0, _MOST_BIG))


class ProjectBudgetEditSchema(StrictSchema):
    """A budget, as in a job's policy; null takes a limit away, what is not named stays."""

    usd = Fraction(0, 1_000_000_000, allow_none=True)
    tokens = WholeNumber(allow_none=True, validate=validate.Range(0, 10**15))
    seconds = Fraction(0, 10**9, allow_none=True)


class ProjectEditSchema(StrictSchema):
    """What changes of a project; what is not named stays."""

    name = Text(100)
    weight = WholeNumber(
        validate=validate.Range(1, 1_000),
        metadata={"description": "Its share of workers and models against other projects'."},
    )
    allow_external = Flag(metadata={"description": "Whether agents may act outside."})
    tools = fields.List(
        Text(200),
        allow_none=True,
        validate=validate.Length(max=MOST_TOOLS),
        metadata={
            "description": "All that its agents may use; null: every tool but those of MCP servers."
        },
    )
    quotas = fields.Nested(QuotasSchema, load_default=dict)
    default_budget = fields.Nested(
        ProjectBudgetEditSchema,
        load_default=dict,
        metadata={"description": "What a job may spend that does not say."},
    )
    budget = fields.Nested(
        ProjectBudgetEditSchema,
        load_default=dict,
        metadata={"description": "What all its jobs may spend together, for all time."},
    )


class ProjectRequestSchema(ProjectEditSchema):
    """A project to be made."""

    name = Text(100, required=True)
