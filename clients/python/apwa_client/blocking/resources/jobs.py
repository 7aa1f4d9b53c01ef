"""Jobs: submit, find, list, estimate."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from apwa_client.blocking.job import Job
from apwa_client.bodies import Progress, with_progress
from apwa_client.inputs import Prepared, prepared
from apwa_client.objects import EstimateObject

if TYPE_CHECKING:
    from apwa_client.blocking.client import Client


class Jobs:
    """`client.jobs`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def submit(
        self,
        goal: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> Job:
        """Submit a job and return it at once.

        `inputs`: name -> rows (data frame, arrow table, dicts), a Path, text, the id of a table,
        an `Input`, or the API's own form. `options` are further members of the request: plan,
        workflow, planning, output, approval, pilot, policy, models, labels, webhook. `progress`
        is told the bytes sent.
        """
        return self.send(
            "create_job",
            _members(goal, options),
            inputs,
            progress=progress,
            idempotency_key=idempotency_key,
        )

    def send(
        self,
        operation_id: str,
        members: Mapping[str, Any],
        inputs: Mapping[str, Any] | None,
        *,
        progress: Progress | None = None,
        idempotency_key: str | None = None,
        **parameters: Any,
    ) -> Job:
        """Submit a job by any operation that takes inputs; `members` is the rest of its body."""
        with prepared(inputs) as ready:
            self._store_folders(ready)
            made = self._client.request(
                operation_id,
                body=with_progress(ready.body(members), progress),
                idempotency_key=idempotency_key,
                **parameters,
            )
        return Job(self._client, made)

    def estimate(
        self,
        goal: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> EstimateObject:
        """Return what such a job would do and cost; nothing is stored but folders of inputs."""
        with prepared(inputs) as ready:
            self._store_folders(ready)
            made: EstimateObject = self._client.request(
                "estimate_job", body=ready.body(_members(goal, options))
            )
        return made

    def get(self, job_id: str) -> Job:
        """Return a job by its id."""
        answer = self._client.answer("get_job", job_id=job_id)
        return Job(self._client, answer.json(), answer.etag)

    def list(self, *, labels: Mapping[str, str] | None = None, **filters: Any) -> Iterator[Job]:
        """Yield jobs, newest first; filters: status, created_after, created_before, q."""
        query = {f"label.{name}": value for name, value in (labels or {}).items()}
        for item in self._client.pages("list_jobs", query=query, **filters):
            yield Job(self._client, item)

    def _store_folders(self, ready: Prepared) -> None:
        for name, body in ready.folders.items():
            table = self._client.request("create_table", name=name, body=body)
            ready.inputs[name]["table"] = table["id"]


def _members(goal: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {"goal": goal, **options}.items() if value is not None}
