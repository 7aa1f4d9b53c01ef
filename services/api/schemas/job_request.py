"""The body of POST /v1/jobs."""

from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from services.api.schemas.strict import (
    AnyObject,
    Choice,
    Flag,
    Fraction,
    Named,
    StrictSchema,
    Text,
)
from services.api.schemas.webhooks import JobWebhookRequestSchema
from services.api.schemas.workflow_ref import WorkflowRef
from shared.actions.edit_job import MAX_LABELS
from shared.contracts.json_values import value_findings
from shared.contracts.plan_fields import WholeNumber, table_name
from shared.domain.columns import COLUMN_TYPES
from shared.domain.ids import is_id
from shared.domain.remote_address import LONGEST as LONGEST_ADDRESS
from shared.domain.stream import KEY_TYPES
from shared.tables.media_types import GIVEN_FORMATS

PLANNINGS = ("auto", "direct", "model", "rules", "given")
MAX_GOAL = 20_000
MAX_INPUTS = 20
DEFAULT_PILOT = 20
_COLUMN = 500
_MODEL = 200
_SOURCES = ("rows", "text", "table", "url")
MOST_COLUMNS = 2_000


def input_name(name: str) -> None:
    """Refuse what a plan could not name."""
    table_name(name)


def label_name(name: str) -> None:
    """Refuse names of labels that are empty, long or cannot be stored."""
    if not 1 <= len(name) <= 100 or value_findings(name):
        raise ValidationError("A label's name is 1 to 100 characters without NUL.")


def column_name(name: str) -> None:
    """Refuse names of columns that are empty, long or cannot be stored."""
    if not 1 <= len(name) <= _COLUMN or value_findings(name):
        raise ValidationError(f"A column's name is 1 to {_COLUMN} characters without NUL.")


def _check_stream(data: dict[str, Any]) -> None:
    """Refuse a stream whose records could not be checked or told apart."""
    wrong: dict[str, list[str]] = {}
    columns, key = data.get("columns"), data.get("key")
    if not columns:
        wrong["columns"] = ["A stream declares its columns: {name: type, ...}."]
    if key is None:
        wrong["key"] = ["A stream names the column that tells its records apart."]
    elif columns and columns.get(key) not in KEY_TYPES:
        wrong["key"] = [f"The key is a declared column of type {' or '.join(KEY_TYPES)}."]
    for name in ("text", "table", "url", "format", "sheet"):
        if data.get(name) is not None:
            wrong[name] = ["A stream may start with `rows` only; leave this out."]
    if wrong:
        raise ValidationError(wrong)


class Rows(fields.Field[list[Any]]):
    """A JSON array of objects; the rows themselves are checked when they are stored."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError("Write an array of objects.")
        return value


class InputSchema(StrictSchema):
    """One input: `rows`, `table`, `text` or `url`, or a file of its name in a multipart body.

    Or a `stream` of records with declared `columns` and a `key`, that may start with `rows`.
    """

    rows = Rows(metadata={"description": "Objects; columns are joined, what is missing is null."})
    table = fields.String(metadata={"description": "Id of an uploaded table."})
    text = Text(100_000_000, metadata={"description": "One document; a table with column text."})
    key = Text(
        _COLUMN,
        allow_none=True,
        metadata={"description": "A unique column without nulls, kept through row units."},
    )
    url = Text(
        LONGEST_ADDRESS,
        metadata={"description": "Address of a file, fetched before the job is planned."},
    )
    format = Choice(GIVEN_FORMATS, metadata={"description": "Format of the file."})
    sheet = Text(
        200, metadata={"description": "Sheet of a workbook (xlsx); the first if none is named."}
    )
    stream = Flag(metadata={"description": "Records may be appended until they are ended."})
    columns = Named(
        column_name,
        Choice(COLUMN_TYPES),
        MOST_COLUMNS,
        metadata={"description": "Types of the columns of a stream, by name."},
    )

    @validates_schema
    def _one_source(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("stream"):
            _check_stream(data)
        elif "columns" in data:
            raise ValidationError("Only a stream declares its columns.", "columns")
        if len([name for name in _SOURCES if data.get(name) is not None]) > 1:
            raise ValidationError("Give one source only: rows, table, text, url, or a stream.")
        if "table" in data and not is_id(data["table"], "tbl"):
            data["table"] = ""  # an id of another kind is an unknown table: 404, not a bad field


class Deadline(Fraction):
    """Seconds after a job's creation, at least a tenth."""

    def __init__(self, **rest: Any) -> None:
        super().__init__(0.1, 10**9, **rest)


class BudgetSchema(StrictSchema):
    """What a job may spend; deterministic work costs nothing. `seconds` are of calls."""

    usd = Fraction(0, 1_000_000, allow_none=True, load_default=None)
    tokens = WholeNumber(allow_none=True, load_default=None, validate=validate.Range(0, 10**15))
    seconds = Fraction(0, 10**9, allow_none=True, load_default=None)


class PolicySchema(StrictSchema):
    """How a job is run and when it counts as done."""

    min_success = Fraction(0, 1, load_default=1.0)
    on_shortfall = Choice(("partial", "failed"), load_default="partial")
    deadline_s = Deadline(
        allow_none=True,
        load_default=None,
        metadata={"description": "Seconds after its creation; then it ends with what it has."},
    )
    max_rounds = WholeNumber(load_default=3, validate=validate.Range(1, 100))
    max_pack = WholeNumber(load_default=1, validate=validate.Range(1, 1_000))
    reuse = Choice(("parent", "project", "none"), load_default="parent")
    planner_sees = Choice(("samples", "schema"), load_default="samples")
    budget = fields.Nested(BudgetSchema, load_default=lambda: BudgetSchema().load({}))
    on_budget = Choice(("pause", "finish"), load_default="pause")
    priority = WholeNumber(load_default=5, validate=validate.Range(1, 10))


class ModelsSchema(StrictSchema):
    """Which configured endpoints stand for the planner's and the workers' model."""

    planner = Text(_MODEL, allow_none=True, load_default=None)
    worker = Text(_MODEL, allow_none=True, load_default=None)


class AutoApproveSchema(StrictSchema):
    """Limits within which a pilot's report is a yes by itself."""

    max_usd = Fraction(0, 1_000_000, allow_none=True, load_default=None)
    min_success = Fraction(0, 1, allow_none=True, load_default=None)


class PilotSchema(StrictSchema):
    """A few units run first; a report of them, then a yes, and only then the rest."""

    units = WholeNumber(load_default=DEFAULT_PILOT, validate=validate.Range(1, 1_000))
    auto_approve = fields.Nested(AutoApproveSchema, allow_none=True, load_default=None)

    @validates_schema
    def _some_limit(self, data: dict[str, Any], **_: Any) -> None:
        limits = data.get("auto_approve")
        if limits is not None and all(value is None for value in limits.values()):
            raise ValidationError("Give a limit: max_usd, min_success or both.", "auto_approve")


def planning_problem(planning: str | None, plan: Any) -> str | None:
    """Return why this planning does not go with this plan, or with none; None when it does."""
    if planning == "given" and plan is None:
        return "`given` needs a plan."
    if planning in ("rules", "model", "direct") and plan is not None:
        return "With a plan, planning is `given` or `auto`."
    return None


def _check_streams(data: dict[str, Any]) -> None:
    streaming = [name for name, item in (data.get("inputs") or {}).items() if item.get("stream")]
    if len(streaming) > 1:
        raise ValidationError({"inputs": {streaming[1]: {"stream": ["One input is a stream."]}}})
    if streaming and (data.get("pilot") is not None or data.get("approval") == "pilot"):
        where = "pilot" if data.get("pilot") is not None else "approval"
        raise ValidationError("A pilot needs rows that are there; a stream has none yet.", where)


def _check_workflow(original: dict[str, Any]) -> None:
    """Refuse what a workflow says itself: what is done; how it is done may be said anew."""
    said = {name for name in ("goal", "output") if original.get(name) is not None}
    if original.get("planning") not in (None, "auto"):
        said.add("planning")
    if said:
        raise ValidationError({name: ["The workflow says this; leave it out."] for name in said})


class JobRequestSchema(StrictSchema):
    """A goal, a plan or a workflow, over inputs."""

    goal = Text(MAX_GOAL, allow_none=True, load_default=None)
    inputs = Named(
        input_name, fields.Nested(InputSchema), MAX_INPUTS, load_default=dict, allow_none=True
    )
    output = AnyObject(
        allow_none=True,
        load_default=None,
        metadata={"description": "JSON Schema of one result row."},
    )
    planning = Choice(PLANNINGS, load_default="auto")
    plan = fields.Raw(
        allow_none=True,
        load_default=None,
        metadata={"description": "A plan document; it is checked by the linter."},
    )
    workflow = WorkflowRef(allow_none=True, load_default=None)
    approval = Choice(("none", "plan", "pilot"), load_default="none")
    pilot = fields.Nested(PilotSchema, allow_none=True, load_default=None)
    policy = fields.Nested(PolicySchema, load_default=lambda: PolicySchema().load({}))
    models = fields.Nested(ModelsSchema, load_default=dict, allow_none=True)
    labels = Named(
        label_name, Text(1_000, blank=True), MAX_LABELS, load_default=dict, allow_none=True
    )
    webhook = fields.Nested(JobWebhookRequestSchema, allow_none=True, load_default=None)

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _something_to_do(self, data: dict[str, Any], original: Any, **_: Any) -> None:
        if not isinstance(original, dict):
            return
        plan, workflow = original.get("plan"), original.get("workflow")
        if plan is not None and workflow is not None:
            raise ValidationError("Give a plan or a workflow, not both.", "workflow")
        if original.get("goal") is None and plan is None and workflow is None:
            raise ValidationError("Say what to do: a goal, a plan or a workflow.", "goal")
        if workflow is not None:
            _check_workflow(original)
        if problem := planning_problem(data.get("planning"), plan):
            raise ValidationError(problem, "planning")
        _check_streams(data)

    @post_load
    def _nothing_is_empty(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        if data["pilot"] is not None:
            data["approval"] = "pilot"
        elif data["approval"] == "pilot":
            data["pilot"] = PilotSchema().load({})
        return data | {
            name: data[name] if data[name] is not None else {}
            for name in ("inputs", "labels", "models")
        }
