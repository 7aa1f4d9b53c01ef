"""Makes and changes projects: an operator's verbs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.actions.actor import Actor
from shared.actions.project_tools import require_tools
from shared.actions.refusals import Conflict, FieldProblem, NotFound
from shared.database import audit, projects, spend
from shared.database.engine import Connection, Engine, again_if_rolled_back
from shared.database.projects import ProjectRecord
from shared.domain.budget import Budget, budget_of
from shared.domain.ids import new_id

KEEP: Any = object()  # as `tools`: what the project has stays
BeforeCommit = Callable[[Connection, ProjectRecord], None]


@dataclass(frozen=True, slots=True)
class ProjectEdit:
    """What is to change; None and members not named stay.

    Of `quotas`, `default_budget` and `budget` (`usd`, `tokens`, `seconds`) a member that is None is
    taken away. `tools` None allows every tool, `KEEP` leaves the list as it is.
    """

    name: str | None = None
    weight: int | None = None
    allow_external: bool | None = None
    tools: Sequence[str] | None = KEEP
    quotas: Mapping[str, int | None] = field(default_factory=dict)
    default_budget: Mapping[str, Any] = field(default_factory=dict)
    budget: Mapping[str, Any] = field(default_factory=dict)

    @property
    def told(self) -> dict[str, Any]:
        """What changes, for the audit log."""
        changed: dict[str, Any] = {
            name: value
            for name in ("name", "weight", "allow_external")
            if (value := getattr(self, name)) is not None
        }
        for name in ("quotas", "default_budget", "budget"):
            if getattr(self, name):
                changed[name] = dict(getattr(self, name))
        if self.tools is not KEEP:
            changed["tools"] = None if self.tools is None else list(self.tools)
        return changed


@again_if_rolled_back
def create_project(
    engine: Engine, actor: Actor, edit: ProjectEdit, before_commit: BeforeCommit
) -> ProjectRecord:
    """Make a project and return it. Raises Conflict (`name_taken`) and as `edit_project` does."""
    with engine.begin() as tx:
        project_id, name = new_id("prj"), edit.name or ""
        projects.hold_names(tx)
        if not projects.insert(tx, project_id, name):
            raise _name_taken()
        audit.append(tx, project_id, actor.name, "project.create", project_id, edit.told)
        made = _changed(tx, project_id, edit)
        before_commit(tx, made)
    return made


@again_if_rolled_back
def edit_project(engine: Engine, actor: Actor, project_id: str, edit: ProjectEdit) -> ProjectRecord:
    """Change a project and return it; what changes holds for what is done from now on.

    Raises NotFound, Conflict (`name_taken`), and Invalid for a tool no worker offers.
    """
    with engine.begin() as tx:
        if projects.lock(tx, project_id) is None:
            raise NotFound("project")
        changed = _changed(tx, project_id, edit)
        if edit.told:
            audit.append(tx, project_id, actor.name, "project.edit", project_id, edit.told)
    return changed


def _changed(tx: Connection, project_id: str, edit: ProjectEdit) -> ProjectRecord:
    before = _require(tx, project_id)
    name = before.name if edit.name is None else edit.name
    if name != before.name:
        projects.hold_names(tx)
        if projects.find_named(tx, name) is not None:
            raise _name_taken()
    projects.edit(
        tx, project_id,
        name=name,
        weight=before.weight if edit.weight is None else edit.weight,
        allow_external=(
            before.allow_external if edit.allow_external is None else edit.allow_external
        ),
        tools=before.tools if edit.tools is KEEP else require_tools(tx, edit.tools),
        quotas=_merged(before.quotas, edit.quotas),
    )  # fmt: skip
    if edit.default_budget or edit.budget:
        spend.set_project_budgets(
            tx, project_id,
            budget=_budget(before.budget, edit.budget),
            default=_budget(before.default_budget, edit.default_budget),
        )  # fmt: skip
    return _require(tx, project_id)


def _require(tx: Connection, project_id: str) -> ProjectRecord:
    found = projects.find(tx, project_id)
    if found is None:
        raise NotFound("project")
    return found


def _merged(before: Mapping[str, int], edit: Mapping[str, int | None]) -> dict[str, int]:
    merged = {**before, **edit}
    return {name: number for name, number in merged.items() if number is not None}


def _budget(before: Budget, edit: Mapping[str, Any]) -> Budget:
    """Return the budget with the members that are named replaced."""
    new = budget_of({"budget": edit})
    return Budget(
        microusd=new.microusd if "usd" in edit else before.microusd,
        tokens=new.tokens if "tokens" in edit else before.tokens,
        ms=new.ms if "seconds" in edit else before.ms,
    )


def _name_taken() -> Conflict:
    detail = "There is a project of this name."
    return Conflict("name_taken", detail, [FieldProblem("/name", detail)])
