"""Turns the body of POST /v1/jobs, JSON or multipart, into a checked request."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import g

from services.api.bodies import json_body, require_media_type
from services.api.request_id import traceparent
from services.api.schemas.job_request import JobRequestSchema
from services.api.schemas.strict import loaded
from services.api.uploads import MULTIPART, NO_JOB, multipart
from services.api.workflow_body import read_workflow_run, request_of_run
from shared.actions.job_request import (
    InputAddress,
    InputRequest,
    JobRequest,
    UploadedFile,
    WebhookRequest,
)
from shared.actions.refusals import FieldProblem, Invalid
from shared.actions.workflows import WorkflowRun
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
    """Return the request; raises Invalid with a pointer for every bad field.

    Raises NotFound for a workflow the project does not have.
    """
    work = read_job_work(document, files)
    return request_of_run(work) if isinstance(work, WorkflowRun) else work


def read_job_work(document: Any, files: dict[str, list[UploadedFile]]) -> JobRequest | WorkflowRun:
    """Return the request, or the run of a workflow that nobody has looked for yet."""
    if document is NO_JOB:
        raise Invalid([FieldProblem("/job", "Send a part job with the JSON of the job.")])
    data = loaded(_SCHEMA, document)
    if data["workflow"] is not None:
        inputs = read_inputs(data["inputs"], files)
        return read_workflow_run(document, data, inputs, _webhook(data["webhook"]))
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
        webhook=_webhook(data["webhook"]),
    )


def _webhook(given: dict[str, Any] | None) -> WebhookRequest | None:
    return None if given is None else WebhookRequest(given["url"], tuple(given["events"]))


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
        sources = [key for key in ("rows", "table", "text", "url") if item.get(key) is not None]
        if item.get("stream"):
            if sent:
                told = "A stream may start with `rows`; append the file's records to it."
                wrong.append(FieldProblem(json_pointer("inputs", name), told))
            else:
                found.append(_input(name, item, sent))
        elif len(sources) + len(sent) != 1:
            told = "Give one source: rows, table, text, url, or one file of this name."
            wrong.append(FieldProblem(json_pointer("inputs", name), told))
        elif not sent and "url" not in sources and (said := _said_of_files(item)):
            told = f"`{said[0]}` is for a file; leave it out."
            wrong.append(FieldProblem(json_pointer("inputs", name, said[0]), told))
        else:
            found.append(_input(name, item, sent))
    if wrong:
        raise Invalid(wrong)
    return tuple(found)


def _said_of_files(item: dict[str, Any]) -> list[str]:
    return [name for name in ("format", "sheet") if item.get(name) is not None]


def _input(name: str, item: dict[str, Any], sent: list[UploadedFile]) -> InputRequest:
    kind, sheet, url = item.get("format"), item.get("sheet"), item.get("url")
    file = UploadedFile(sent[0].path, sent[0].name, kind, sheet) if sent else None
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
        address=InputAddress(url, kind, sheet) if url is not None else None,
    )
