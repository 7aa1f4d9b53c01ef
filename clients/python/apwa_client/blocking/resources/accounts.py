"""Keys, projects, what was used, and who did what; most of it for keys with the scope `admin`."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from apwa_client.objects import AuditEntryObject, KeyObject, ProjectObject, UsageGroupObject
from apwa_client.rows import json_ready

if TYPE_CHECKING:
    from apwa_client.blocking.client import Client


class ApiKeys:
    """`client.api_keys`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def create(
        self,
        name: str,
        *,
        role: str | None = None,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | str | None = None,
        requests_per_minute: int | None = None,
        project: str | None = None,
        idempotency_key: str | None = None,
    ) -> KeyObject:
        """Make a key with a role (viewer, operator, admin) or scopes; its `secret` is told once."""
        given = {
            "name": name, "role": role, "expires_at": json_ready(expires_at), "project": project,
            "scopes": None if scopes is None else list(scopes),
            "requests_per_minute": requests_per_minute,
        }  # fmt: skip
        made: KeyObject = self._client.request(
            "create_api_key",
            body={what: value for what, value in given.items() if value is not None},
            idempotency_key=idempotency_key,
        )
        return made

    def get(self, key_id: str) -> KeyObject:
        """Return one key."""
        found: KeyObject = self._client.request("get_api_key", key_id=key_id)
        return found

    def list(self, *, project: str | None = None) -> Iterator[KeyObject]:
        """Yield keys, newest first."""
        yield from self._client.pages("list_api_keys", project=project)

    def rotate(
        self, key_id: str, *, overlap_s: int | None = None, idempotency_key: str | None = None
    ) -> KeyObject:
        """Make a new secret; the former one opens too for `overlap_s`."""
        made: KeyObject = self._client.request(
            "rotate_api_key",
            key_id=key_id,
            body={} if overlap_s is None else {"overlap_s": overlap_s},
            idempotency_key=idempotency_key,
        )
        return made

    def revoke(self, key_id: str) -> None:
        """End a key."""
        self._client.request("revoke_api_key", key_id=key_id)


class Projects:
    """`client.projects`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def create(
        self, name: str, *, idempotency_key: str | None = None, **options: Any
    ) -> ProjectObject:
        """Make a project; options: weight, tools, quotas, default_budget, budget, ..."""
        made: ProjectObject = self._client.request(
            "create_project", body={"name": name, **options}, idempotency_key=idempotency_key
        )
        return made

    def get(self, project_id: str) -> ProjectObject:
        """Return one project."""
        found: ProjectObject = self._client.request("get_project", project_id=project_id)
        return found

    def list(self) -> Iterator[ProjectObject]:
        """Yield the projects the key may see."""
        yield from self._client.pages("list_projects")

    def edit(self, project_id: str, **changes: Any) -> ProjectObject:
        """Change a project; what is not named stays."""
        made: ProjectObject = self._client.request(
            "edit_project", project_id=project_id, body=changes
        )
        return made


class Usage:
    """`client.usage`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def groups(
        self,
        group_by: str | None = None,
        *,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        project: str | None = None,
    ) -> Iterator[UsageGroupObject]:
        """Yield what was used in a span of time, group by group."""
        query = {"from": json_ready(since), "to": json_ready(until)}
        yield from self._client.pages("get_usage", group_by=group_by, project=project, query=query)

    def audit_log(
        self,
        *,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        **filters: Any,
    ) -> Iterator[AuditEntryObject]:
        """Yield who did what, newest first; filters: object, actor, action, project."""
        query = {"from": json_ready(since), "to": json_ready(until)}
        yield from self._client.pages("list_audit_log", query=query, **filters)
