"""The engine that asks a model: it may look around, submits a plan, and gets findings back."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from services.planner.engines import NotPlanned, Outcome, Planned, PlanningLost, PlanningPaused
from services.planner.engines.endpoint_breakers import EndpointBreakers
from services.planner.engines.model_calls import PlanningCalls, TooLong
from services.planner.engines.model_reply import said_by_model, tool_result
from services.planner.engines.model_tools import SUBMIT, PlanningTools
from services.planner.planning_task import PlanningTask
from shared.contracts.findings import Finding, error
from shared.contracts.plan import dump_plan
from shared.database.engine import Engine
from shared.domain.model_call import Reply
from shared.llm.endpoints import Endpoints, endpoints_of
from shared.llm.structured import Problem, compile_validator, parse_structured
from shared.plans.prompt.plan_schema import OUTLINE
from shared.plans.prompt.request import (
    PromptSize,
    findings_text,
    last_call_text,
    planner_messages,
)
from shared.settings import Settings

MOST_CORRECTIONS = 3  # turns in which findings go back
MOST_TOOL_STEPS = 12
MOST_TOOL_CALLS_AT_ONCE = 8
MOST_TOKENS = 300_000
MOST_S = 900.0
MOST_SHRINKS = 2
LOOK_S = 0.2
_outline = compile_validator(OUTLINE)


def plan(
    engine: Engine, settings: Settings, task: PlanningTask, breakers: EndpointBreakers
) -> Outcome:
    """Return the plan a model wrote and the linter accepts, or what kept it from that.

    Waits for the model, at most `MOST_S` seconds; ends early when the lease is lost.
    """
    endpoints = endpoints_of(settings)
    planner = endpoints.find(task.job.models.get("planner") or "planner")
    if planner is None:
        detail = "No model endpoint plans here; set OPENAI_API_KEY or OPENAI_BASE_URL."
        return NotPlanned("model_not_configured", detail)
    calls = PlanningCalls(engine, settings, endpoints, planner, task.job, task.round, breakers)
    tools = PlanningTools(engine, settings, task)
    return asyncio.run(_bounded(_plan(task, calls, tools, endpoints), calls, task.lost))


async def _bounded(
    work: Coroutine[Any, Any, Outcome], calls: PlanningCalls, lost: Callable[[], bool]
) -> Outcome:
    """Run to the end, to the limit of time, or until the lease is lost."""
    planning = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_until(lost))
    try:
        done, _ = await asyncio.wait(
            {planning, watching}, timeout=MOST_S, return_when=asyncio.FIRST_COMPLETED
        )
        if planning in done:
            return planning.result()
        if watching in done:
            return PlanningLost()
        return _late(calls)
    finally:
        for task in (planning, watching):
            task.cancel()
        await asyncio.gather(planning, watching, return_exceptions=True)
        await calls.close()


def _late(calls: PlanningCalls) -> Outcome:
    """Where the time went by in waiting for the endpoint, a person may lift what it waits for."""
    detail = f"Planning took longer than {MOST_S:g} s."
    if calls.waits:
        return PlanningPaused({"kind": "breaker", "code": "planning_limit", "detail": detail})
    return NotPlanned("planning_limit", detail)


async def _until(lost: Callable[[], bool]) -> None:
    while not lost():
        await asyncio.sleep(LOOK_S)


async def _plan(
    task: PlanningTask, calls: PlanningCalls, tools: PlanningTools, endpoints: Endpoints
) -> Outcome:
    size = PromptSize.within(calls.endpoint.context_tokens)
    detail = ""
    for _ in range(MOST_SHRINKS + 1):
        messages = planner_messages(
            task.job.goal or "", task.facts, size=size, rounds=task.former,
            max_rounds=task.max_rounds, models=endpoints.names(),
        )  # fmt: skip
        came = await _converse(task, calls, tools, messages)
        if not isinstance(came, TooLong):
            return came
        size = size.halved()
        detail = came.detail
    return NotPlanned("planner_context_overflow", f"Even the shortest prompt is too long: {detail}")


async def _converse(
    task: PlanningTask, calls: PlanningCalls, tools: PlanningTools, messages: list[dict[str, Any]]
) -> Outcome | TooLong:
    """Go on until a plan is accepted; each turn uses up a tool step or a correction."""
    tool_steps, corrections, told_last = 0, 0, False
    while True:
        may_call = tool_steps < MOST_TOOL_STEPS and calls.tokens < MOST_TOKENS
        if not may_call and not told_last:
            messages.append({"role": "user", "content": last_call_text()})
            told_last = True
        reply = await calls.ask(messages, tools.offered(), may_call=may_call)
        if not isinstance(reply, Reply):
            return reply
        messages.append(said_by_model(reply))
        if may_call and reply.tool_calls and not _submits(reply):
            messages += await _run_tools(tools, reply)
            tool_steps += 1
            continue
        # on a thread: the linter checks SQL in a process of its own
        came = await asyncio.to_thread(_judge, task, reply)
        if not isinstance(came, list):
            return came
        if corrections == MOST_CORRECTIONS or calls.tokens > 2 * MOST_TOKENS:
            return _invalid(came)
        corrections += 1
        messages += _findings(reply, came, MOST_CORRECTIONS - corrections)


def _judge(task: PlanningTask, reply: Reply) -> Planned | NotPlanned | list[Finding]:
    """Return the plan of a reply if it may run, that it repeats itself, or what to correct."""
    text = next((call.arguments for call in reply.tool_calls if call.name == SUBMIT), reply.text)
    found = parse_structured(text or "", _outline)
    if isinstance(found, Problem):
        return [error("invalid", "", f"This is no plan: {found.detail}")]
    if task.repeats(found.value):
        detail = f"Round {task.round} would only repeat what was done."
        return NotPlanned("stalled", detail)
    checked = task.check(found.value)
    if checked.plan is None:
        return list(checked.findings)
    return Planned("model", dump_plan(checked.plan))


def _findings(reply: Reply, findings: Sequence[Finding], turns_left: int) -> list[dict[str, Any]]:
    """Return the messages that give findings back; every open tool call gets an answer."""
    text = findings_text(findings, turns_left)
    if not reply.tool_calls:
        return [{"role": "user", "content": text}]
    first = next((call for call in reply.tool_calls if call.name == SUBMIT), reply.tool_calls[0])
    return [
        tool_result(call, text if call is first else '{"error": "not run"}')
        for call in reply.tool_calls
    ]


async def _run_tools(tools: PlanningTools, reply: Reply) -> list[dict[str, Any]]:
    results = []
    for number, call in enumerate(reply.tool_calls):
        runs = number < MOST_TOOL_CALLS_AT_ONCE
        told = await tools.run(call) if runs else '{"error": "too many calls at once"}'
        results.append(tool_result(call, told))
    return results


def _submits(reply: Reply) -> bool:
    return any(call.name == SUBMIT for call in reply.tool_calls)


def _invalid(findings: list[Finding]) -> NotPlanned:
    errors = tuple(finding for finding in findings if finding.severity == "error")
    detail = (
        f"The model's plan still has {len(errors)} errors after {MOST_CORRECTIONS} corrections."
    )
    return NotPlanned("plan_invalid", detail, findings=errors)
