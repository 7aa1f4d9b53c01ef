"""Whether the plans of a bundle are what was hashed, and its stages what the plans say."""

from typing import Any

from services.cli.replay.archive import Archive
from services.cli.replay.findings import Report
from shared.capabilities import builtin
from shared.contracts import bundle
from shared.contracts.plan import PlanShapeError, load_plan, plan_hash
from shared.domain.plan import Plan, StagePlan
from shared.plans.columns import output_schema, takes_output
from shared.plans.facts import OutputProblem

_OF_JOB = ("model", "max_output_tokens")


def check_plans(archive: Archive, report: Report) -> dict[int, Plan]:
    """Return the plans by version, each checked against its hash."""
    plans: dict[int, Plan] = {}
    names = [one["name"] for one in archive.manifest["members"] if one["name"].startswith("plans/")]
    for name in names:
        with report.reading(name):
            told = archive.json(name)
            if plan_hash(told["document"]) != told["hash"]:
                report.add(name, "the plan does not have the hash it is known by")
            try:
                plans[told["version"]] = load_plan(told["document"])
            except PlanShapeError as error:
                report.add(name, f"is no plan: {error.findings[0].detail}")
    return plans


def check_job_plan(archive: Archive, job: dict[str, Any], report: Report) -> None:
    """Compare the plan the record names with the one that is there."""
    mark = job["plan"]
    if mark is None:
        return
    name = bundle.plan_member(mark["version"])
    if not archive.has(name):
        report.add(bundle.JOB, f"names version {mark['version']} of the plan, which is missing")
        return
    report.compare(bundle.JOB, "plan.hash", mark["hash"], archive.json(name)["hash"])


def check_stage_plan(
    told: dict[str, Any], plans: dict[int, Plan], where: str, report: Report
) -> None:
    """Compare a stage as it ran with the stage of its plan: work, units, template, output."""
    plan = plans.get(told["plan_version"])
    planned = next((one for one in plan.stages if one.name == told["name"]), None) if plan else None
    if plan is None or planned is None:
        report.add(where, f"is no stage of version {told['plan_version']} of the plan")
        return
    spec, template = told["spec"], planned.template
    for name, said, ran in (
        ("capability", planned.capability, told["capability"]),
        ("brief", plan.brief, told["brief"]),
        ("over", list(planned.over), spec["over"]),
        ("unit", planned.unit.to_json(), spec["unit"]),
        ("replicas", planned.replicas, spec["replicas"]),
        ("agree", planned.agree, spec["agree"]),
        ("params", _params(planned.params), _params(spec["params"])),
        ("template.instructions", template.instructions if template else None,
         spec["instructions"]),
        ("template.input", template.input if template else None, spec["input"]),
    ):  # fmt: skip
        if said != ran:
            report.add(where, f"{name} is not what the plan says")
    if not _gives_what_is_planned(planned, spec["output"]):
        report.add(where, "the schema of its output is not the plan's")


def _params(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters without those that a job may set for all its stages."""
    return {name: value for name, value in params.items() if name not in _OF_JOB}


def _gives_what_is_planned(planned: StagePlan, output: dict[str, Any]) -> bool:
    """Compare the output with the plan's where the plan says it; capabilities may bring theirs."""
    if planned.output is None:
        return True
    manifest = builtin.manifests().get(planned.capability)
    if manifest is None or not takes_output(manifest):
        return True
    return output_schema(planned, {}, manifest, _computes_none) == output


def _computes_none(*_: object) -> OutputProblem:
    raise LookupError("a capability that takes its output from the plan computes none")
