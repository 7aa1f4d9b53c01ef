"""What an engine is given: the job, the facts of all tables it may read, and the check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.contracts.findings import Finding, error, json_pointer
from shared.contracts.plan import PlanShapeError, load_plan
from shared.database.jobs import JobRecord
from shared.domain.plan import Plan
from shared.plans.facts import PlanFacts
from shared.plans.lint import lint, refuses
from shared.plans.prompt.request import FormerRound
from shared.plans.repeats import stages_hash


@dataclass(frozen=True, slots=True)
class Checked:
    """What the contract and the linter say of a document; `plan` is None when it is refused."""

    plan: Plan | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class PlanningTask:
    """One round of planning of one job.

    `table_ids` are the sealed tables by name, and `facts` knows the same. `taken` are names of
    former rounds that cannot be used again. `texts` are inputs given as one text.
    """

    job: JobRecord
    facts: PlanFacts
    table_ids: Mapping[str, str]
    round: int = 1
    former: tuple[FormerRound, ...] = ()
    former_hashes: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    lost: Callable[[], bool] = field(default=lambda: False)

    @property
    def max_rounds(self) -> int:
        """Rounds the policy allows in all."""
        return int(self.job.policy.get("max_rounds", 1))

    @property
    def sees_rows(self) -> bool:
        """True when rows may be shown to the planning model."""
        return bool(self.job.policy.get("planner_sees", "samples") == "samples")

    def repeats(self, document: Mapping[str, Any]) -> bool:
        """Return True for a later round's plan with no stage, or with those of a former round."""
        if self.round == 1:
            return False
        stages = document.get("stages")
        return not stages or stages_hash(document) in self.former_hashes

    def check(self, document: Any) -> Checked:
        """Return the plan a document describes and every finding on it."""
        try:
            plan = load_plan(document)
        except PlanShapeError as problem:
            return Checked(None, tuple(problem.findings))
        findings = [*lint(plan, self.facts), *self._names_taken(plan)]
        return Checked(None if refuses(findings) else plan, tuple(findings))

    def _names_taken(self, plan: Plan) -> list[Finding]:
        names = [(name, json_pointer("tables", name)) for name in plan.tables]
        names += [
            (stage.name, json_pointer("stages", no, "name")) for no, stage in enumerate(plan.stages)
        ]
        detail = "A table of an earlier round is called `{}`; choose another name."
        return [
            error("duplicate_name", pointer, detail.format(name))
            for name, pointer in names
            if name in self.taken and name not in self.facts.tables
        ]
