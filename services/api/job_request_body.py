"""Turns the body of POST /v1/jobs, JSON or multipart, into a checked request."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import g
from marshmallow import ValidationError

from services.api.bodies import json_body, require_media_type
from services.api.request_id import traceparent
from services.api.schemas.job_request import JobRequestSchema
from services.api.schemas.strict import problems_of_messages
from services.api.uploads import MULTIPART, NO_JOB, multipart
from shared.actions.job_request import InputRequest, JobRequest, UploadedFile
from shared.actions.refusals import FieldProblem, Invalid
from shared.contracts.findings import json_pointer
from shared.domain.columns import Column

_SCHEMA = JobRequestSchema()


@contextmanager
def job_body() -> Iterator[tuple[bytes, Any, dict[str, list[UploadedFile]]]]:
    """Yield what stands for the body, its JSON, and its files by input; they end with the block."""
    if require_media_type("application/json", MULTIPART) == MULTIPART:
        with multipart() as parts:
            yield parts.fingerprint, parts.job, parts.files
    else:
        raw, document = json_body()
        yield raw, document, {}


def read_job_request(document: Any, files: dict[str, list[UploadedFile]]) -> JobRequest:
    """Return the request; raises Invalid with a pointer for every bad field."""
    if document is NO_JOB:
        raise Invalid([FieldProblem("/job", "Send a part job with the JSON of the job.")])
    try:
        data = _SCHEMA.load(document)
    except ValidationError as error:
        raise Invalid(problems_of_messages(error.messages)) from error
    policy = {name: value for name, value in data["policy"].items() if name != "priority"}
    return JobRequest(
        goal=data["goal"],
        planning=data["planning"],
        plan=data["plan"],
        output=data["output"],
        policy=policy,
        priority=data["policy"]["priority"],
        inputs=read_inputs(data["inputs"], files),
        labels=data["labels"],
        models={name: value for name, value in data["models"].items() if value is not None},
        approval=data["approval"],
        pilot=data["pilot"],
        request_id=g.request_id,
        traceparent=traceparent(),
    )


def read_inputs(
    given: dict[str, dict[str, Any]], files: dict[str, list[UploadedFile]]
) -> tuple[InputRequest, ...]:
    """Return the inputs of a body and their files; raises Invalid with a pointer for each."""
    wrong = [
        FieldProblem(json_pointer("inputs", name), f"There is no input for the file part {name}.")
        for name in files
        if name not in given
    ]
    found = []
    for name, item in given.items():
        sent = files.get(name, [])
        sources = [key for key in ("rows", "table", "text") if item.get(key) is not None]
        if item.get("stream"):
            if sent:
                told = "A stream may start with `rows`; append the file's records to it."
                wrong.append(FieldProblem(json_pointer("inputs", name), told))
            else:
                found.append(_input(name, item, sent))
        elif len(sources) + len(sent) != 1:
            told = "Give one source: rows, table, text, or one file of this name."
            wrong.append(FieldProblem(json_pointer("inputs", name), told))
        elif item.get("format") is not None and not sent:
            told = "`format` is for a file; leave it out."
            wrong.append(FieldProblem(json_pointer("inputs", name, "format"), told))
        else:
            found.append(_input(name, item, sent))
    if wrong:
        raise Invalid(wrong)
    return tuple(found)


def _input(name: str, item: dict[str, Any], sent: list[UploadedFile]) -> InputRequest:
    file = UploadedFile(sent[0].path, sent[0].name, item.get("format")) if sent else None
    columns = None
    if item.get("stream"):
        columns = tuple(Column(column, type_) for column, type_ in item["columns"].items())
    return InputRequest(
        name=name,
        key=item.get("key"),
        rows=item.get("rows"),
        text=item.get("text"),
        table_id=item.get("table"),
        file=file,
        columns=columns,
    )
