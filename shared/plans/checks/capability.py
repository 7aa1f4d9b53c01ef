"""What runs a stage: is it there, may it, does it take this unit, these parameters, this emit."""

from collections.abc import Iterator

from shared.contracts.findings import Finding, error
from shared.contracts.names import did_you_mean
from shared.plans.codes import CODES
from shared.plans.facts import OutputProblem
from shared.plans.outside import external_tools
from shared.plans.params import params_findings
from shared.plans.view import PlanView, StageView

_SQL_CODES = {"sql_not_one_select", "sql_unknown_table", "sql_unsupported_type", "sql_invalid"}
_NEEDS_MODEL = "Configure a model endpoint, or leave this out: no model is available here."


def check_capabilities(view: PlanView) -> Iterator[Finding]:
    """Yield findings on each stage's capability and on what else needs a model."""
    for stage in view.stages():
        if stage.manifest is None:
            yield _absent(view, stage)
        else:
            yield from _units(stage)
            yield from _params(view, stage)
            yield from _permissions(view, stage)
        if stage.stage.agree == "judge" and not view.facts.model_available:
            detail = "`judge` makes a model call. " + _NEEDS_MODEL
            yield error("capability_unavailable", stage.pointer("agree"), detail)
    if view.plan.then == "replan" and not view.facts.model_available:
        detail = "`replan` asks a model for another round. " + _NEEDS_MODEL
        yield error("capability_unavailable", "/then", detail)


def _absent(view: PlanView, stage: StageView) -> Finding:
    name, here = stage.stage.capability, view.facts.capabilities
    if name in view.facts.known:
        offered = ", ".join(f"`{other}`" for other in sorted(here)) or "nothing yet"
        detail = (
            f"No worker of this deployment offers `{name}`; start one that does, or use what is "
            f"here: {offered}."
        )
        return error("capability_unavailable", stage.pointer("capability"), detail)
    detail = f"There is no capability `{name}`." + did_you_mean(name, here)
    return error("unknown_capability", stage.pointer("capability"), detail)


def _units(stage: StageView) -> Iterator[Finding]:
    manifest, kind = stage.manifest, stage.stage.unit.kind
    if manifest is None:
        return
    # a table is the group with an empty key
    taken = {*manifest.units} | ({"table"} if "group" in manifest.units else set())
    if kind not in taken:
        detail = f"`{manifest.name}` takes units of kind {', '.join(sorted(taken))}, not {kind}."
        yield error("unit_not_supported", stage.pointer("unit"), detail)
    if len(stage.stage.over) > 1 and not stage.reads_tables:
        detail = f"`{manifest.name}` works on the units of one table; name only that one."
        yield error("over_list_not_supported", stage.pointer("over"), detail)
    emit = stage.stage.emit
    if emit == "one" and manifest.emits == "many":
        detail = f"`{manifest.name}` gives many rows per unit; write `many` or leave `emit` out."
        yield error("emit_not_supported", stage.pointer("emit"), detail)
    if emit == "many" and manifest.emits == "one" and manifest.name not in {"llm", "agent"}:
        detail = f"`{manifest.name}` gives one row per unit; write `one` or leave `emit` out."
        yield error("emit_not_supported", stage.pointer("emit"), detail)


def _params(view: PlanView, stage: StageView) -> Iterator[Finding]:
    if stage.manifest is None:
        return
    pointer, params = stage.pointer("params"), stage.stage.params
    findings = params_findings(stage.manifest, params, pointer)
    yield from findings
    if findings:
        return  # what follows may rely on the schema
    own = view.facts.check_params(stage.stage.capability, params)
    for below, detail in own:
        yield error("invalid_parameter", pointer + below, detail)
    problem = view.resolution.problems.get(stage.stage.name)
    if problem is not None and not own:
        yield _no_output(problem, pointer)


def _no_output(problem: OutputProblem, pointer: str) -> Finding:
    if problem.code in _SQL_CODES:
        detail = f"Correct the query: {problem.detail.rstrip('.')}."
        return error(problem.code, pointer + (problem.pointer or "/query"), detail)
    code = problem.code if problem.code in CODES else "invalid_parameter"
    return error(code, pointer + problem.pointer, problem.detail)


def _permissions(view: PlanView, stage: StageView) -> Iterator[Finding]:
    limits = view.facts.limits
    external = stage.manifest is not None and stage.manifest.effects == "external"
    if external and not limits.allow_external:
        detail = (
            f"`{stage.stage.capability}` acts on the outside; ask for that permission of the "
            "project, or use another capability."
        )
        yield error("external_not_permitted", stage.pointer("capability"), detail)
    tools = stage.stage.params.get("tools", [])
    for position, tool in enumerate(tools if isinstance(tools, list) else []):
        if stage.stage.capability == "agent" and tool not in limits.tools:
            detail = f"The project does not allow the tool `{tool}`; remove it."
            detail += did_you_mean(str(tool), limits.tools)
            yield error("tool_not_allowed", stage.pointer("params", "tools", position), detail)
        elif tool in external_tools(stage.stage, view.facts) and not limits.allow_external:
            detail = (
                f"The tool `{tool}` may act on the outside; ask for that permission of the "
                "project, or remove it."
            )
            yield error(
                "external_not_permitted", stage.pointer("params", "tools", position), detail
            )
