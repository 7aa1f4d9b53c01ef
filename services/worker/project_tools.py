"""The worker's own look at which tools a project allows: the list may be shorter than it was."""

from services.worker.stage_run import StageRun
from shared.actions.one_rows import StageNotRunnableError
from shared.capabilities.builtin import agent
from shared.database import projects
from shared.database.engine import Engine
from shared.domain.mcp_tool import permits


def check_tools(engine: Engine, run: StageRun) -> None:
    """Raise StageNotRunnableError when an agent's stage lists a tool its project forbids now.

    The linter refused such a plan; this holds for a list that was changed since, and for a stage
    that came into the database some other way. One query for each shard of an agent.
    """
    listed = run.spec.params.get("tools") or []
    if run.record.capability != agent.MANIFEST.name or not listed:
        return
    with engine.connect() as connection:
        allowed = projects.allowed_tools(connection, run.job.project_id)
    forbidden = [tool for tool in listed if not permits(allowed, tool)]
    if forbidden:
        told = ", ".join(f"`{tool}`" for tool in forbidden)
        raise StageNotRunnableError(
            "tool_not_allowed", f"The project does not allow the stage's tools {told}."
        )
