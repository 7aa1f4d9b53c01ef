"""Who acts: a project's key (or the system itself) and what it may do."""

from dataclasses import dataclass

SCOPES: tuple[str, ...] = (
    "jobs:read",
    "jobs:write",
    "plans:approve",
    "tables:read",
    "tables:write",
    "hooks:admin",
    "admin",
)
SYSTEM = "system"  # an operator's: every project; not part of `admin`, granted by its holders only
ROLES: dict[str, tuple[str, ...]] = {
    "viewer": ("jobs:read", "tables:read"),
    "operator": ("jobs:read", "jobs:write", "plans:approve", "tables:read", "tables:write"),
    "admin": SCOPES,
}


@dataclass(frozen=True, slots=True)
class Actor:
    """One who asks for something, always within one project."""

    project_id: str
    key_id: str | None  # None: the command line or a service on the machine itself
    scopes: frozenset[str]
    trigger_id: str | None = None  # set where a delivery acts, not a person

    @property
    def name(self) -> str:
        """Return how events and the audit log call this actor."""
        if self.trigger_id:
            return f"trigger:{self.trigger_id}"
        return f"key:{self.key_id}" if self.key_id else "system"

    def may(self, scope: str) -> bool:
        """Return True when the actor has the scope; `admin` has every one but `system`."""
        return scope in self.scopes or ("admin" in self.scopes and scope != SYSTEM)
