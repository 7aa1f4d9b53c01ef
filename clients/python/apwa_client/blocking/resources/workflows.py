"""Workflows: define, find, run, delete."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from apwa_client.blocking.job import Job
from apwa_client.bodies import Progress
from apwa_client.objects import WorkflowObject

if TYPE_CHECKING:
    from apwa_client.blocking.client import Client


class Workflows:
    """`client.workflows`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def create(
        self,
        name: str,
        *,
        plan: Mapping[str, Any] | None = None,
        goal: str | None = None,
        description: str | None = None,
        defaults: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> WorkflowObject:
        """Define a workflow, or the next version of one."""
        given = {
            "name": name, "plan": plan, "goal": goal, "description": description,
            "defaults": defaults,
        }  # fmt: skip
        made: WorkflowObject = self._client.request(
            "create_workflow",
            body={what: value for what, value in given.items() if value is not None},
            idempotency_key=idempotency_key,
        )
        return made

    def get(self, name: str, version: int | None = None) -> WorkflowObject:
        """Return one version, the newest when left out."""
        found: WorkflowObject = self._client.request("get_workflow", name=name, version=version)
        return found

    def list(self) -> Iterator[WorkflowObject]:
        """Yield workflows by name, each with its newest version."""
        yield from self._client.pages("list_workflows")

    def versions(self, name: str) -> Iterator[WorkflowObject]:
        """Yield the versions of a workflow, newest first."""
        yield from self._client.pages("list_workflow_versions", name=name)

    def run(
        self,
        name: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        progress: Progress | None = None,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Job:
        """Submit a job of a workflow and return it at once; inputs and options as for jobs."""
        members = {"version": version, **options}
        return self._client.jobs.send(
            "run_workflow",
            {what: value for what, value in members.items() if value is not None},
            inputs,
            progress=progress,
            idempotency_key=idempotency_key,
            name=name,
        )

    def delete(self, name: str) -> None:
        """Delete all versions; jobs keep what they ran."""
        self._client.request("delete_workflow", name=name)
