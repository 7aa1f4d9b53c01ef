"""The bodies of the OpenAI-compatible interface."""

from marshmallow import ValidationError, fields, validate

from services.api.schemas.strict import Choice, Named, StrictSchema, Text
from shared.contracts.json_values import value_findings
from shared.contracts.plan_fields import WholeNumber
from shared.domain.batch import CHAT_URL, COMPLETION_WINDOW

MOST_METADATA = 16
LONGEST_KEY, LONGEST_VALUE = 64, 512
_HOUR_S, _MONTH_S = 3_600, 2_592_000


def metadata_name(name: str) -> None:
    """Refuse keys of metadata that are empty, long or cannot be stored."""
    if not 1 <= len(name) <= LONGEST_KEY or value_findings(name):
        raise ValidationError(f"A key is 1 to {LONGEST_KEY} characters without NUL.")


class ExpirySchema(StrictSchema):
    """How long a file is kept."""

    anchor = Choice(("created_at",), required=True)
    seconds = WholeNumber(required=True, validate=validate.Range(_HOUR_S, _MONTH_S))


class FileFormSchema(StrictSchema):
    """The fields beside the file of an upload."""

    purpose = Choice(("batch",), required=True)
    expires_after = fields.Nested(ExpirySchema, load_default=None)


class BatchRequestSchema(StrictSchema):
    """A file of request lines to be run. `completion_window` is taken and ends nothing."""

    input_file_id = Text(200, required=True)
    endpoint = Choice((CHAT_URL,), required=True)
    completion_window = fields.String(
        load_default=COMPLETION_WINDOW,
        validate=validate.Regexp(r"[1-9][0-9]{0,3}[hd]\Z", error="Write hours or days, as 24h."),
        metadata={
            "description": "Taken and shown; nothing ends after it.",
            "pattern": "^[1-9][0-9]{0,3}[hd]$",  # `\Z` is Python's own
        },
    )
    metadata = Named(
        metadata_name,
        Text(LONGEST_VALUE, blank=True),
        MOST_METADATA,
        load_default=None,
        allow_none=True,
        metadata={"description": "The labels of the job."},
    )
    output_expires_after = fields.Nested(ExpirySchema, load_default=None, allow_none=True)
