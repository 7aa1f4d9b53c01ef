"""`agent`: a model that may use tools, within limits, and has to answer at the end of them."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from services.worker.capabilities.agent_capability import installed_tools
from services.worker.capabilities.agent_limits import FULLEST_SHARE, AgentLimits
from services.worker.capabilities.agent_mcp import mcp_tools
from services.worker.capabilities.agent_talk import Talk
from services.worker.capabilities.agent_tool import Tool
from services.worker.capabilities.agent_toolbox import Toolbox, toolbox
from services.worker.capabilities.agent_transcript import NotedAsk, ToolUse, Transcript
from services.worker.capabilities.assemble import assemble
from services.worker.capabilities.images import with_images
from services.worker.capabilities.llm_call import Form, form_of, structured_call
from shared.capabilities.builtin import agent as facts
from shared.capabilities.contract import Ask, Context, Returned, Unit
from shared.capabilities.image_labels import without_images
from shared.llm.structured import Parsed, parse_structured

SOURCES = "sources"  # the column the agent adds to its stage's output


@dataclass(frozen=True, slots=True)
class _Agent:
    """One attempt: what it may do, what it said, what is kept of it."""

    ask: Ask
    context: Context
    limits: AgentLimits
    box: Toolbox
    form: Form  # of the answer without `sources`
    talk: Talk
    transcript: Transcript


async def run(unit: Unit, context: Context) -> Returned:
    """Return the answer with its `sources`, and the transcript as raw text.

    Raises what the model door raises, InvalidAnswerError, MissingContextError and ToolUnavailable;
    each carries the transcript so far in `raw`.
    """
    foreign = await mcp_tools(context.params.get("tools", []), context.idempotency_key)
    agent = _begin(unit, context, foreign)
    try:
        value = await _explore(agent)
        if value is None:
            value = await _answer(agent)
        value = agent.form.opened(value)
    except Exception as error:
        with suppress(AttributeError):  # an exception that takes no attributes
            error.raw = agent.transcript.to_json()  # type: ignore[attr-defined]
        raise
    return Returned({**value, SOURCES: agent.transcript.sources()}, agent.transcript.to_json())


def _begin(unit: Unit, context: Context, foreign: dict[str, Tool]) -> _Agent:
    if context.ask is None:
        raise RuntimeError("this process has no model door")
    transcript = Transcript()
    ask = NotedAsk(context.ask, transcript)
    form = form_of(_without_sources(context.output), context.params)
    shown = without_images(unit, context.params)
    box = toolbox(context.params.get("tools", []), shown, foreign=foreign)
    talk = Talk.begin(shown, context, form.schema, box.definitions)
    talk.messages = with_images(talk.messages, unit.rows, context.params)
    return _Agent(
        ask,
        replace(context, ask=ask),
        AgentLimits.of(context.params, context.timeout_s),
        box,
        form,
        talk,
        transcript,
    )


def _without_sources(output: dict[str, Any]) -> dict[str, Any]:
    properties = {
        name: value for name, value in output.get("properties", {}).items() if name != SOURCES
    }
    return {**output, "properties": properties, "required": list(properties)}


async def _explore(agent: _Agent) -> Any:
    """Let the model use tools; return its answer, or None when it has to be asked for."""
    if not agent.box.tools:
        return None
    clock = asyncio.timeout(agent.limits.seconds)
    try:
        async with clock:
            return await _steps(agent)
    except TimeoutError:
        if not clock.expired():
            raise
        agent.transcript.ending = "max_seconds"
        agent.talk.end(None)
        return None


async def _steps(agent: _Agent) -> Any:
    talk, params = agent.talk, agent.context.params
    while (reached := _reached(agent)) is None:
        reply = await agent.ask(
            talk.messages,
            endpoint=params.get("model", "worker"),
            tools=talk.definitions,
            max_output_tokens=params.get("max_output_tokens"),
            temperature=params.get("temperature"),
        )
        if not reply.tool_calls:
            return _accepted(agent, reply.text or "")
        for call in talk.add_calls(reply):
            if len(agent.transcript.uses) < agent.limits.tool_calls:
                use = await agent.box.use(call)
            else:
                use = ToolUse(call.name, call.arguments, "refused", "No more tools can be used.")
            agent.transcript.note_use(use)
            talk.add_result(use)
    agent.transcript.ending = reached
    talk.end(None)
    return None


def _reached(agent: _Agent) -> str | None:
    expected = agent.talk.tokens()
    return agent.limits.reached(
        steps=len(agent.transcript.steps),
        tool_calls=len(agent.transcript.uses),
        tokens=agent.transcript.tokens,
        next_tokens=expected,
        context_tokens=_context_tokens(agent),
    )


def _accepted(agent: _Agent, text: str) -> Any:
    """Return the value a text holds if it fits; else ask once more, in the strict form."""
    found = parse_structured(text, agent.form.fits)
    if isinstance(found, Parsed):
        return found.value
    agent.transcript.ending = "form"
    agent.talk.end(text)
    return None


async def _answer(agent: _Agent) -> Any:
    """Ask for the answer without tools and in the form of the schema."""
    agent.talk.definitions = []
    agent.talk.shrink(int(FULLEST_SHARE * _context_tokens(agent)))
    form = agent.form
    answer = await structured_call(agent.context, agent.talk.messages, form.schema, fits=form.fits)
    return answer.value


def _context_tokens(agent: _Agent) -> int:
    return agent.ask.context_tokens(agent.context.params.get("model", "worker"))


def reusable(params: dict[str, Any]) -> bool:
    """Return False where a tool's answers change with time, so that the agent's do too."""
    return facts.is_reusable_with(params.get("tools", []), installed_tools())


capability = replace(assemble(facts.MANIFEST, None, run), reusable=reusable)
