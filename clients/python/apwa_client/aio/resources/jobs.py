"""Jobs: submit, find, list, estimate."""

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from apwa_client.aio.job import AsyncJob
from apwa_client.bodies import Progress, with_progress
from apwa_client.inputs import Prepared, prepared
from apwa_client.objects import EstimateObject

if TYPE_CHECKING:
    from apwa_client.aio.client import AsyncClient


class AsyncJobs:
    """`client.jobs`."""

    def __init__(self, client: "AsyncClient") -> None:
        self._client = client

    async def submit(
        self,
        goal: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> AsyncJob:
        """Submit a job and return it at once.

        `inputs`: name -> rows (data frame, arrow table, dicts), a Path, text, the id of a table,
        an `Input`, or the API's own form. `options` are further members of the request: plan,
        workflow, planning, output, approval, pilot, policy, models, labels, webhook. `progress`
        is told the bytes sent.
        """
        return await self.send(
            "create_job",
            _members(goal, options),
            inputs,
            progress=progress,
            idempotency_key=idempotency_key,
        )

    async def send(
        self,
        operation_id: str,
        members: Mapping[str, Any],
        inputs: Mapping[str, Any] | None,
        *,
        progress: Progress | None = None,
        idempotency_key: str | None = None,
        **parameters: Any,
    ) -> AsyncJob:
        """Submit a job by any operation that takes inputs; `members` is the rest of its body."""
        with prepared(inputs) as ready:
            await self._store_folders(ready)
            made = await self._client.request(
                operation_id,
                body=with_progress(ready.body(members), progress),
                idempotency_key=idempotency_key,
                **parameters,
            )
        return AsyncJob(self._client, made)

    async def estimate(
        self,
        goal: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> EstimateObject:
        """Return what such a job would do and cost; nothing is stored but folders of inputs."""
        with prepared(inputs) as ready:
            await self._store_folders(ready)
            made: EstimateObject = await self._client.request(
                "estimate_job", body=ready.body(_members(goal, options))
            )
        return made

    async def get(self, job_id: str) -> AsyncJob:
        """Return a job by its id."""
        answer = await self._client.answer("get_job", job_id=job_id)
        return AsyncJob(self._client, answer.json(), answer.etag)

    async def list(
        self, *, labels: Mapping[str, str] | None = None, **filters: Any
    ) -> AsyncIterator[AsyncJob]:
        """Yield jobs, newest first; filters: status, created_after, created_before, q."""
        query = {f"label.{name}": value for name, value in (labels or {}).items()}
        async for item in self._client.pages("list_jobs", query=query, **filters):
            yield AsyncJob(self._client, item)

    async def _store_folders(self, ready: Prepared) -> None:
        for name, body in ready.folders.items():
            table = await self._client.request("create_table", name=name, body=body)
            ready.inputs[name]["table"] = table["id"]


def _members(goal: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {"goal": goal, **options}.items() if value is not None}
