"""How a request names a workflow: ``"triage"``, or ``{"name": "triage", "version": 3}``."""

from typing import Any

from marshmallow import ValidationError, fields, validate

from services.api.schemas.strict import StrictSchema
from shared.contracts.names import is_workflow_name
from shared.contracts.plan_fields import WholeNumber

HIGHEST_VERSION = 2**31 - 1
_ANY_OF = [
    {"type": "string"},
    {
        "type": "object",
        "properties": {"name": {"type": "string"}, "version": {"type": ["integer", "null"]}},
        "required": ["name"],
        "additionalProperties": False,
    },
]


class WorkflowName(fields.String):
    """The name of a workflow."""

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> str:
        name: str = super()._deserialize(value, *rest, **more)
        if not is_workflow_name(name):
            raise ValidationError(
                "A workflow's name is at most 63 lower-case letters, digits, hyphens and "
                "underscores, starting with a letter."
            )
        return name


class Version(WholeNumber):
    """The number of a version; none is the newest."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(
            allow_none=True,
            load_default=None,
            validate=validate.Range(1, HIGHEST_VERSION),
            metadata={"description": "The newest when left out."},
            **rest,
        )


class WorkflowRefSchema(StrictSchema):
    """A workflow and one of its versions."""

    name = WorkflowName(required=True)
    version = Version()


class WorkflowRef(fields.Field[dict[str, Any]]):
    """A name, or an object with name and version; comes out as the latter."""

    def __init__(self, **rest: Any) -> None:
        told = "A workflow of the project, or one version of it; instead of a plan."
        super().__init__(metadata={"anyOf": _ANY_OF, "description": told}, **rest)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Any]:
        if isinstance(value, str):
            return {"name": WorkflowName().deserialize(value), "version": None}
        if isinstance(value, dict):
            return dict(WorkflowRefSchema().load(value))
        raise ValidationError("Write a name, or an object with `name` and `version`.")
