"""The bodies of triggers."""

import re
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from services.api.schemas.job_request import (
    MAX_GOAL,
    MAX_INPUTS,
    JobRequestSchema,
    column_name,
    input_name,
    label_name,
)
from services.api.schemas.strict import (
    AnyObject,
    Choice,
    Flag,
    Fraction,
    Named,
    StrictSchema,
    Text,
)
from services.api.schemas.webhooks import LONGEST_OVERLAP_S
from shared.actions.edit_job import MAX_LABELS
from shared.contracts.json_values import value_findings
from shared.contracts.plan_fields import WholeNumber
from shared.domain.hook_mapping import placeholder_problem
from shared.domain.hook_scheme import SCHEMES
from shared.domain.json_path import is_pointer

MOST_CONDITIONS = 50
JOBS_PER_HOUR, USD_PER_DAY = 100, 10.0
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_TESTS = ("equals", "in", "exists")


class Pointer(fields.String):
    """A JSON Pointer (RFC 6901) into what the sender posts."""

    def __init__(self, **rest: Any) -> None:
        told = {"description": "JSON Pointer into the payload; empty: all of it."}
        super().__init__(metadata=told, validate=validate.Length(max=500), **rest)

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> str:
        text: str = super()._deserialize(value, *rest, **more)
        if value_findings(text) or not is_pointer(text):
            raise ValidationError("Write a JSON Pointer, as /issue/title.")
        return text


class HeaderName(fields.String):
    """The name of a header; upper and lower case are the same."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(metadata={"pattern": f"^{_HEADER.pattern}$"}, **rest)

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> str:
        name: str = super()._deserialize(value, *rest, **more)
        if not _HEADER.fullmatch(name):
            raise ValidationError("Write the name of a header.")
        return name


class AnyValue(fields.Field[Any]):
    """Any JSON value that can be stored."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        findings = value_findings(value)
        if findings:
            raise ValidationError(findings[0].detail)
        return value


class JobTemplate(fields.Nested):
    """The body of POST /v1/jobs without what the mapping adds; checked with it, as a whole."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(JobRequestSchema, **rest)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        found: dict[str, Any] = AnyObject().deserialize(value)
        return found


class OptionsSchema(StrictSchema):
    """Where a sender of scheme `hmac` or `token` puts what."""

    header = HeaderName()
    prefix = fields.String(validate=validate.Length(max=50))
    algorithm = Choice(("sha256", "sha512"))
    encoding = Choice(("hex", "base64"))
    timestamp_header = HeaderName(allow_none=True)
    id_header = HeaderName(allow_none=True)


class ConditionSchema(StrictSchema):
    """What must hold of a header, or of the payload at a JSON Pointer."""

    header = HeaderName()
    pointer = Pointer()
    equals = AnyValue(allow_none=True)
    in_ = fields.List(
        AnyValue(allow_none=True),
        data_key="in",
        attribute="in",
        validate=validate.Length(min=1, max=100),
    )
    exists = Flag()

    @validates_schema
    def _one_of_each(self, data: dict[str, Any], **_: Any) -> None:
        if ("header" in data) == ("pointer" in data):
            raise ValidationError("Name a header or a pointer.")
        if len([name for name in _TESTS if name in data]) != 1:
            raise ValidationError("Give one of equals, in, exists.")


class _SourceSchema(StrictSchema):
    rows = Pointer()
    object = Named(column_name, Pointer(), 500, metadata={"minProperties": 1})

    _sources: tuple[str, ...] = ("rows", "object")

    @validates_schema
    def _one_source(self, data: dict[str, Any], **_: Any) -> None:
        if len([name for name in self._sources if name in data]) != 1:
            raise ValidationError(f"Give one of {', '.join(self._sources)}.")
        if data.get("object") == {}:
            raise ValidationError("Name at least one column.", "object")


class MappedInputSchema(_SourceSchema):
    """An input: `rows` at a pointer, one row of an `object` of pointers, or the `text` at one."""

    text = Pointer()
    key = Text(500, allow_none=True)

    _sources = ("rows", "object", "text")


class RecordsSchema(_SourceSchema):
    """Records for the stream of a job: `rows` at a pointer, or one `object` of pointers."""

    job = fields.String(required=True, metadata={"description": "Id of a stream or hybrid job."})


class GoalTemplate(Text):
    """A goal with JSON Pointers between double braces; what they lead to is put in once."""

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> str:
        text = super()._deserialize(value, *rest, **more)
        problem = placeholder_problem(text)
        if problem is not None:
            raise ValidationError(problem)
        return text


class MappingSchema(StrictSchema):
    """What of the payload becomes what of the job."""

    goal = GoalTemplate(
        MAX_GOAL,
        allow_none=True,
        metadata={"description": "As `Triage: {{ /issue/title }}`."},
    )
    inputs = Named(input_name, fields.Nested(MappedInputSchema), MAX_INPUTS)
    labels = Named(
        label_name, Pointer(), MAX_LABELS, metadata={"description": "Left out where missing."}
    )


class LimitsSchema(StrictSchema):
    """Above them deliveries are held; null takes a limit away."""

    jobs_per_hour = WholeNumber(allow_none=True, validate=validate.Range(0, 1_000_000))
    usd_per_day = Fraction(0, 1_000_000, allow_none=True)


class TriggerChangesSchema(StrictSchema):
    """What changes of a trigger; members that are not named stay."""

    name = Text(200)
    enabled = Flag()
    scheme = Choice(SCHEMES)
    secret = Text(500, metadata={"writeOnly": True, "description": "Shared with the sender."})
    overlap_s = WholeNumber(
        validate=validate.Range(0, LONGEST_OVERLAP_S),
        metadata={"description": "How long the secret before holds beside a new one."},
    )
    options = fields.Nested(OptionsSchema, allow_none=True)
    when = fields.List(
        fields.Nested(ConditionSchema),
        validate=validate.Length(max=MOST_CONDITIONS),
        metadata={"description": "All of them must hold."},
    )
    job = JobTemplate(allow_none=True)
    mapping = fields.Nested(MappingSchema, allow_none=True)
    records = fields.Nested(RecordsSchema, allow_none=True)
    limits = fields.Nested(LimitsSchema)


class TriggerRequestSchema(TriggerChangesSchema):
    """A sender, and the job each of its deliveries makes, or the stream it feeds."""

    name = Text(200, required=True)
    scheme = Choice(SCHEMES, required=True)
    secret = Text(
        500,
        required=True,
        metadata={"writeOnly": True, "description": "Shared with the sender."},
    )

    class Meta:
        """Nothing overlaps with a first secret."""

        exclude = ("overlap_s",)


class SimulationSchema(StrictSchema):
    """A delivery as a sender would post it; `body` is the exact text, `payload` its JSON value."""

    headers = fields.Dict(
        keys=fields.String(), values=fields.String(), load_default=dict,
        validate=validate.Length(max=200),
    )  # fmt: skip
    payload = fields.Raw(allow_none=True, metadata={"description": "Any JSON value."})
    body = fields.String()

    @validates_schema
    def _one_of_them(self, data: dict[str, Any], **_: Any) -> None:
        if ("payload" in data) == ("body" in data):
            raise ValidationError("Give the payload, or the body as text.", "payload")
