"""The messages of a planning request, from facts alone; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.contracts.findings import Finding
from shared.plans.facts import PlanFacts
from shared.plans.prompt.described import LEAST_LINE, capability_line, clipped, table_line
from shared.prompts import filled, prompt_text

PLANNER_VERSION = 1
MOST_FINDINGS = 40
MOST_CLUSTERS = 15
MOST_NAMES = 10  # of tables that get no line of their own
MOST_CAPABILITY = 3_000
MOST_TOOL_NOTES, MOST_TOOL_NOTE = 32, 150  # tools of MCP servers; characters of each
_OUTPUT_FREE = "Not prescribed: choose the columns that answer the goal."


@dataclass(frozen=True, slots=True)
class PromptSize:
    """How many characters the parts of a request may take that grow with the job."""

    tables: int = 24_000
    capabilities: int = 16_000
    rounds: int = 8_000
    output: int = 8_000

    @staticmethod
    def within(context_tokens: int) -> "PromptSize":
        """Return sizes that leave half of a model's context for tools and answers."""
        share = min(1.0, context_tokens / 50_000)
        whole = PromptSize()
        return PromptSize(*(int(part * share) for part in _parts(whole)))

    def halved(self) -> "PromptSize":
        """Return half of each size."""
        return PromptSize(*(part // 2 for part in _parts(self)))


@dataclass(frozen=True, slots=True)
class FormerRound:
    """What a round came to: its stages, the result's name, the ledger, and what failed.

    `failures` are ``{"stage", "code", "count", "sample"?}``, the largest first; `sample` is a
    clipped sentence that may quote a row, so it is absent where the planner sees the schema only.
    """

    round: int
    result: str
    stages: tuple[str, ...]
    coverage: Mapping[str, int]
    failures: tuple[Mapping[str, Any], ...] = ()


def planner_messages(
    goal: str,
    facts: PlanFacts,
    *,
    size: PromptSize,
    rounds: Sequence[FormerRound] = (),
    max_rounds: int = 1,
    models: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return the system and the user message that ask for a plan.

    Their length does not depend on how many rows the tables have. `models` are the names a plan
    may write as `params.model`; the last former round is the one just ended.
    """
    values = {
        "capabilities": _capabilities(facts, size.capabilities),
        "limits": _limits(facts, models),
        "tables": _tables(facts, size.tables),
        "rounds": _rounds(rounds, max_rounds, size.rounds),
        "output": _output(facts, size.output),
        "goal": goal,
    }
    request = filled(prompt_text("planner_request", PLANNER_VERSION), values)
    return [
        {"role": "system", "content": prompt_text("planner", PLANNER_VERSION)},
        {"role": "user", "content": request},
    ]


def findings_text(findings: Sequence[Finding], turns_left: int) -> str:
    """Return the text that gives the linter's findings back, errors first."""
    ordered = sorted(findings, key=lambda finding: finding.severity != "error")[:MOST_FINDINGS]
    lines = [
        _json({**finding.to_json(), "detail": clipped(finding.detail, 600)}) for finding in ordered
    ]
    values = {"findings": "\n".join(lines), "turns": str(turns_left)}
    return filled(prompt_text("planner_findings", PLANNER_VERSION), values)


def last_call_text() -> str:
    """Return the text that ends the use of tools."""
    return prompt_text("planner_last", PLANNER_VERSION)


def _tables(facts: PlanFacts, most_chars: int) -> str:
    """Give every table its share; what small ones leave goes to those after them."""
    if not facts.tables:
        return "There are no tables: write the rows to work on into `tables`."
    told, untold = _tables_told(facts, most_chars)
    lines = [_json({"more_tables": {"count": len(untold), "names": untold[:MOST_NAMES]}})]
    lines = lines if untold else []
    left = most_chars - sum(len(line) for line in lines)
    # small ones first, so that what they leave is there for the wide ones
    by_width = sorted(told, key=lambda name: (len(facts.tables[name].columns), name))
    for position, name in enumerate(by_width):
        share = max(LEAST_LINE, left // (len(by_width) - position))
        line = table_line(name, facts.tables[name], share)
        left = max(0, left - len(line))
        lines.append(line)
    return "\n".join(lines)


def _tables_told(facts: PlanFacts, most_chars: int) -> tuple[list[str], list[str]]:
    """Return the tables that get a line, and those that do not: older rounds' go first."""
    names = list(facts.tables)  # as read: inputs, then what the rounds made, the oldest first
    given = [name for name in names if name not in facts.earlier_stages]
    newest = [name for name in reversed(names) if name in facts.earlier_stages]
    room = max(1, most_chars // LEAST_LINE - 3)
    ordered = [*given, *newest]
    return ordered[:room], ordered[room:]


def _capabilities(facts: PlanFacts, most_chars: int) -> str:
    lines: list[str] = []
    left = most_chars
    for name in sorted(facts.capabilities, key=lambda name: (name != "llm", name)):
        line = capability_line(facts.capabilities[name], min(MOST_CAPABILITY, max(left, 0)))
        if len(line) > left and lines:
            line = _json({"name": name})
        left -= len(line)
        lines.append(line)
    return "\n".join(lines) or "None: no worker is there."


def _limits(facts: PlanFacts, models: Sequence[str]) -> str:
    limits = facts.limits
    tools = limits.tools if limits.allow_external else limits.tools - facts.external_tools
    notes = {tool: facts.tool_notes[tool] for tool in sorted(tools) if tool in facts.tool_notes}
    told: dict[str, Any] = {
        "max_stages": limits.max_stages,
        "max_subtasks": limits.max_subtasks,
        "max_tokens": limits.max_tokens,
        "budget_usd": None if limits.budget_microusd is None else limits.budget_microusd / 1e6,
        "external_effects": limits.allow_external,
        "agent_tools": sorted(tools),
        "what_tools_do": _clipped_notes(notes) or None,
        "models": list(models),
    }
    return _json({name: value for name, value in told.items() if value is not None})


def _clipped_notes(notes: Mapping[str, str]) -> dict[str, str]:
    shown = list(notes.items())[:MOST_TOOL_NOTES]
    return {tool: clipped(note, MOST_TOOL_NOTE) for tool, note in shown}


def _rounds(rounds: Sequence[FormerRound], max_rounds: int, most_chars: int) -> str:
    if not rounds:
        return ""
    shown = rounds[-max(1, most_chars // LEAST_LINE - 1) :]
    each = max(LEAST_LINE, most_chars // len(shown))
    older = len(rounds) - len(shown)
    lines = [_json({"more_rounds": older})] if older else []
    lines += [_round_line(former, each) for former in shown]
    present = rounds[-1].round + 1
    last = "It is the last one: `then` must be `finish`." if present >= max_rounds else ""
    values = {
        "rounds": "\n".join(lines),
        "round": str(present),
        "most": str(max_rounds),
        "last": last,
    }
    return filled(prompt_text("planner_rounds", PLANNER_VERSION), values)


def _round_line(former: FormerRound, most_chars: int) -> str:
    """Return one round; failures go first where there is no room, then the names of stages."""
    names = list(former.stages)
    told: dict[str, Any] = {
        "round": former.round,
        "result": former.result,
        "stages": names,
        "coverage": dict(former.coverage),
        "failures": [],
    }
    while len(line := _json(told)) > most_chars and names:
        told["more_stages"] = told.get("more_stages", 0) + 1
        names.pop(0)
    for cluster in former.failures[:MOST_CLUSTERS]:
        shown = {name: clipped(value, 300) for name, value in cluster.items()}
        told["failures"].append(shown)
        if len(wider := _json(told)) > most_chars:
            break
        line = wider
    return line


def _output(facts: PlanFacts, most_chars: int) -> str:
    if facts.output is None:
        return _OUTPUT_FREE
    schema = _json(facts.output)
    said = "The rows of the result must satisfy this JSON Schema:\n"
    if len(schema) <= most_chars:
        return said + schema
    names = _json(list(facts.output.get("properties", {})))
    return f"The result must have exactly these columns:\n{clipped(names, most_chars)}"


def _parts(size: PromptSize) -> tuple[int, int, int, int]:
    return size.tables, size.capabilities, size.rounds, size.output


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
