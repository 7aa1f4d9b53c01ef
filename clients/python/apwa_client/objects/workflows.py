"""Workflows."""

from typing import Any, TypedDict


class WorkflowObject(TypedDict, total=False):
    """One version of a workflow; lists leave plan and defaults out."""

    id: str
    name: str
    version: int
    latest_version: int
    description: str | None
    goal: str | None
    plan_hash: str | None
    inputs: list[str] | None
    plan: dict[str, Any] | None
    defaults: dict[str, Any]
    created_by: str
    created_at: str
    links: dict[str, str]
