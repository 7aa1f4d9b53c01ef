"""The linter: refuses or warns, in the order of the document; pure."""

from shared.contracts.findings import Finding
from shared.domain.plan import Plan
from shared.plans.checks.advice import check_advice
from shared.plans.checks.capability import check_capabilities
from shared.plans.checks.columns import check_columns
from shared.plans.checks.images import check_images
from shared.plans.checks.limits import check_limits
from shared.plans.checks.outputs import check_outputs
from shared.plans.checks.tables import check_tables
from shared.plans.checks.templates import check_templates
from shared.plans.codes import CODES
from shared.plans.facts import PlanFacts
from shared.plans.view import PlanView

__all__ = ["CODES", "Finding", "findings_of", "lint", "refuses"]

_CHECKS = (
    check_tables,
    check_capabilities,
    check_columns,
    check_images,
    check_templates,
    check_outputs,
    check_limits,
    check_advice,
)


def lint(plan: Plan, facts: PlanFacts) -> list[Finding]:
    """Return every finding on a plan, each with a code of `CODES`; none: the plan may run.

    What cannot be told because of another finding (the columns of a table that does not exist)
    is not reported as well.
    """
    return findings_of(PlanView.of(plan, facts))


def findings_of(view: PlanView) -> list[Finding]:
    """Return what all checks find on a view."""
    return [finding for check in _CHECKS for finding in check(view)]


def refuses(findings: list[Finding]) -> bool:
    """Return True when at least one finding is an error."""
    return any(finding.severity == "error" for finding in findings)
