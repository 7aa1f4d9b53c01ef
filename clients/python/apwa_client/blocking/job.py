"""A job in hand: what it is now, waiting for it, steering it, reading what it made."""

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from apwa_client.blocking.reading import rows_of_results
from apwa_client.blocking.saving import save
from apwa_client.blocking.watching import events_of
from apwa_client.blocking.ways import sleep
from apwa_client.errors import NoResult, WaitTimeout
from apwa_client.events import Event
from apwa_client.files import format_of
from apwa_client.frames import to_frame
from apwa_client.objects import (
    FINAL,
    AppendedObject,
    ColumnObject,
    FailureObject,
    JobObject,
    Outcome,
    PlanObject,
    ProgressObject,
    RecordObject,
    ResultObject,
    StageObject,
    StreamObject,
    SubtaskDetailObject,
    SubtaskObject,
    ViewTokenObject,
)
from apwa_client.rows import Row

if TYPE_CHECKING:
    from apwa_client.blocking.client import Client

_LONGEST_POLL_S = 30
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 2.0  # between looks that were answered at once


class Job:
    """A job; `data` is the object the API last told, `etag` its tag where it was told."""

    def __init__(self, client: "Client", data: JobObject, etag: str | None = None) -> None:
        self._client, self.data, self.etag = client, data, etag

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """Its id, job_..."""
        return self.data["id"]

    @property
    def status(self) -> str:
        """Its state when it was last looked at."""
        return self.data["status"]

    @property
    def is_final(self) -> bool:
        """True when nothing will happen to it any more."""
        return self.status in FINAL

    @property
    def progress(self) -> ProgressObject:
        """Units by what became of them so far."""
        return self.data["progress"]

    @property
    def result(self) -> ResultObject | None:
        """Where the answer is; None before there is one."""
        return self.data.get("result")

    @property
    def error(self) -> Any:
        """Why it failed; None otherwise."""
        return self.data.get("error")

    @property
    def cost_usd(self) -> float:
        """What models have cost so far, in US dollars."""
        return self.data["usage"].get("cost_microusd", 0) / 1_000_000

    # --- looking and waiting

    def refresh(self) -> Self:
        """Look at it again."""
        return self._look()

    def wait(
        self,
        *,
        timeout_s: float | None = None,
        until: str | Collection[str] = (),
        on_update: Callable[["Job"], object] | None = None,
    ) -> Self:
        """Return once it is final, or in a state of `until` (such as ``awaiting_approval``).

        A paused job, or one that awaits approval, is waited for like any other. `on_update` is
        called after every look. Raises WaitTimeout when the time is over.
        """
        states = {*FINAL, *([until] if isinstance(until, str) else until)}
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        poll = 0 if until else _LONGEST_POLL_S  # the API's own waiting is for final states
        pause_s = _FIRST_PAUSE_S
        while True:
            left = poll if deadline is None else deadline - time.monotonic()
            began = time.monotonic()
            self._look(wait=max(0, min(poll, int(left))))
            if on_update is not None:
                on_update(self)
            if self.status in states:
                return self
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeout(f"{self.id} is {self.status} after {timeout_s} s; it goes on")
            if time.monotonic() - began < pause_s:  # an API where too many wait answers so
                sleep(pause_s)
                pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def events(self, after: str | None = None) -> Iterator[Event]:
        """Yield its events as they come until it is final; `after`: the id of the last one seen."""
        yield from events_of(self._client, self.id, after)

    # --- steering

    def pause(self) -> Self:
        """Make no further call until it is resumed."""
        return self._act("pause_job")

    def resume(self) -> Self:
        """Go on."""
        return self._act("resume_job")

    def cancel(self) -> Self:
        """Stop it; settled results stay readable."""
        return self._act("cancel_job")

    def finalize(self) -> Self:
        """End it now with what is there."""
        return self._act("finalize_job")

    def edit(self, *, if_match: str | None = None, **changes: Any) -> Self:
        """Change `budget`, `deadline_s`, `priority` or `labels` of a job that is not final.

        It is changed as it was last read here; Stale when it has had an event since.
        """
        if if_match is None and self.etag is None:
            self._look()
        tag = if_match or self.etag
        answer = self._client.answer("edit_job", job_id=self.id, body=changes, if_match=tag)
        self.data, self.etag = answer.json(), answer.etag
        return self

    def retry(
        self,
        *,
        error_code: str | None = None,
        model: str | None = None,
        max_output_tokens: int | None = None,
        idempotency_key: str | None = None,
    ) -> "Job":
        """Return a new job that runs the failed units of this final one again."""
        overrides = {"model": model, "max_output_tokens": max_output_tokens}
        body = {
            "select": {"error_code": error_code} if error_code else "failed",
            "overrides": {name: value for name, value in overrides.items() if value is not None},
        }
        made = self._client.request(
            "retry_job", job_id=self.id, body=body, idempotency_key=idempotency_key
        )
        return Job(self._client, made)

    def fork(
        self,
        *,
        inputs: Mapping[str, Any] | None = None,
        plan: Mapping[str, Any] | None = None,
        policy: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> "Job":
        """Return a new job with other inputs, plan or policy; units that are the same are reused.

        Inputs are as for `run`; files among them are stored as tables first.
        """
        given = {"plan": plan, "policy": policy}
        body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if inputs:
            body["inputs"] = self._client.tables.as_inputs(inputs)
        made = self._client.request(
            "fork_job", job_id=self.id, body=body, idempotency_key=idempotency_key
        )
        return Job(self._client, made)

    def delete(self) -> Self:
        """Erase it with everything it came with and made; a tombstone stays."""
        self.data = self._client.request("delete_job", job_id=self.id)
        return self

    # --- the plan

    def plan(self, version: int | None = None) -> PlanObject:
        """Return the plan in force, or a former version."""
        found: PlanObject = self._client.request("get_plan", job_id=self.id, version=version)
        return found

    def replace_plan(self, document: Mapping[str, Any], *, replaces: PlanObject) -> PlanObject:
        """Put another plan in place of the one that was read; it awaits approval too."""
        made: PlanObject = self._client.request(
            "put_plan", job_id=self.id, body={"plan": document}, if_match=_tag(replaces)
        )
        return made

    def approve(self, plan: PlanObject) -> Self:
        """Say yes to the plan that was read, and to no other; the job runs."""
        return self._act("approve_plan", if_match=_tag(plan))

    def reject(self, reason: str | None = None, *, plan: PlanObject | None = None) -> Self:
        """Say no; the job ends as failed. With `plan`, only while it is that one."""
        tag = _tag(plan) if plan else None
        return self._act("reject_plan", body={"reason": reason}, if_match=tag)

    # --- what became of it

    def stages(self) -> list[StageObject]:
        """Return its stages, in plan order; none before it is planned."""
        return list(self._client.pages("list_stages", job_id=self.id))

    def failures(self) -> list[FailureObject]:
        """Return its failed units in clusters, largest first."""
        return list(self._client.pages("list_failures", job_id=self.id))

    def subtasks(
        self, *, stage: str | None = None, outcome: str | None = None
    ) -> Iterator[SubtaskObject]:
        """Yield its settled subtasks by stage and unit."""
        pages = self._client.pages(
            "list_subtasks", job_id=self.id, stage=stage, outcome=outcome, limit=500
        )
        yield from pages

    def subtask(self, stage: str, unit: int) -> SubtaskDetailObject:
        """Return one subtask: input rows, prompt, tries, raw answers, output, lineage."""
        found: SubtaskDetailObject = self._client.request(
            "get_subtask", job_id=self.id, stage=stage, unit=unit
        )
        return found

    def bundle(self, path: str | os.PathLike[str]) -> int:
        """Write the record of this final job as a zip, for `apwa replay`; returns its bytes."""
        return save(self._client, path, "get_bundle", job_id=self.id)

    def view_token(self, ttl_s: int | None = None) -> ViewTokenObject:
        """Return a token with which others may look at this one job, without a key."""
        made: ViewTokenObject = self._client.request(
            "create_view_token", job_id=self.id, body={} if ttl_s is None else {"ttl_s": ttl_s}
        )
        return made

    def results(
        self,
        *,
        stage: str | None = None,
        outcome: Outcome | None = None,
        include: str | Collection[str] | None = None,
    ) -> Iterator[Row]:
        """Yield the rows of the result, or of any stage, in constant memory.

        While the stage runs these are the rows there are. Of a final job, a stream that breaks
        off is taken up again where it was.
        """
        wanted = {"stage": stage, "outcome": outcome, "include": _joined(include)}
        yield from rows_of_results(self._client, self.id, wanted, steady=self.is_final)

    def to_list(self, *, stage: str | None = None) -> list[Row]:
        """Return all rows of the result. Raises NoResult when there is none."""
        self._require_result(stage)
        return list(self.results(stage=stage))

    def to_pandas(self, *, stage: str | None = None) -> Any:
        """Return the result as a pandas DataFrame (pandas must be installed).

        Raises NoResult when there is none.
        """
        rows = self.to_list(stage=stage)
        return to_frame(rows, [] if stage else self._columns())

    def download(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        stage: str | None = None,
        outcome: Outcome | None = None,
        include: str | Collection[str] | None = None,
    ) -> int:
        """Write the result to a file (json, jsonl, csv or parquet) and return its bytes."""
        return save(
            self._client,
            path,
            "get_results",
            job_id=self.id,
            format=format_of(path, format),
            stage=stage,
            outcome=outcome,
            include=_joined(include),
        )

    # --- records of a stream

    def append(self, rows: Any, *, wait: bool = True) -> AppendedObject:
        """Append records, in batches; see `client.records.append`."""
        return self._client.records.append(self.id, rows, wait=wait)

    def end(self) -> Self:
        """Say that no more records come; harmless when repeated."""
        return self._act("end_records")

    def record(self, key: str, *, stage: str | None = None) -> RecordObject:
        """Return one record by its key, with its outcome and output."""
        return self._client.records.get(self.id, key, stage=stage)

    def stream(self) -> StreamObject:
        """Return how its stream stands."""
        return self._client.records.stream(self.id)

    # --- parts

    def _look(self, wait: int = 0) -> Self:
        answer = self._client.answer(
            "get_job", job_id=self.id, wait=wait or None, read_timeout_s=wait + 30.0
        )
        self.data, self.etag = answer.json(), answer.etag
        return self

    def _act(self, operation_id: str, **parameters: Any) -> Self:
        self.data = self._client.request(operation_id, job_id=self.id, **parameters)
        self.etag = None
        return self

    def _columns(self) -> list[ColumnObject]:
        return (self.result or {}).get("columns") or []

    def _require_result(self, stage: str | None) -> None:
        if stage is None and self.result is None:
            told = f": {self.error}" if self.error else ""
            raise NoResult(f"{self.id} is {self.status} and has no result{told}")


def _tag(plan: PlanObject) -> str:
    return f'"{plan["hash"]}"'


def _joined(include: str | Collection[str] | None) -> str | None:
    return include if include is None or isinstance(include, str) else ",".join(include)
