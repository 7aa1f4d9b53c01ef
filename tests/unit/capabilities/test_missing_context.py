"""`llm` and `agent` where their stage lets units ask for other rows."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from services.worker.capabilities import agent, llm
from services.worker.capabilities.llm_call import InvalidAnswerError, MissingContextError
from services.worker.child_pool import raised
from shared.capabilities.contract import Context, Returned, Unit
from shared.contracts.output_schema import strict_schema
from tests.unit.capabilities.scripted_ask import ScriptedAsk, calls, says

OUTPUT = strict_schema({"type": "object", "properties": {"label": {"type": "string"}}})
ANSWER = {"answer": {"label": "good"}, "missing_context": None}
WISH = {"answer": None, "missing_context": "the other rows of the same thread"}


def context_of(ask: ScriptedAsk, *, may: bool = True, **params: Any) -> Context:
    asking = {"may_ask_for_context": True} if may else {}
    return Context(
        params={**params, **asking}, brief="", prompt="a row", instructions="Label it.",
        output=OUTPUT, attempt=1, replica=0, timeout_s=60.0, idempotency_key="key", ask=ask,
    )  # fmt: skip


def run_llm(ask: ScriptedAsk, **how: Any) -> Returned:
    return asyncio.run(llm.capability.run(Unit(0, [{"text": "a row"}]), context_of(ask, **how)))


def run_agent(ask: ScriptedAsk, **how: Any) -> Returned:
    context = context_of(ask, tools=["search_text"], **how)
    return asyncio.run(agent.capability.run(Unit(0, [{"text": "a row"}]), context))


def test_an_answer_leaves_its_envelope() -> None:
    ask = ScriptedAsk(says(ANSWER))
    assert run_llm(ask) == Returned({"label": "good"}, None)
    [asked] = ask.asked
    assert list(asked["schema"]["properties"]) == ["answer", "missing_context"]
    assert "missing_context" in asked["messages"][0]["content"]


def test_a_wish_ends_the_unit_at_once_with_what_it_asks_for() -> None:
    ask = ScriptedAsk(says(WISH))
    with pytest.raises(MissingContextError) as caught:
        run_llm(ask)
    told = raised(caught.value)
    assert (told.code, told.outcome, told.transient) == ("missing_context", "failed", False)
    assert told.detail.endswith("the other rows of the same thread")
    assert len(ask.asked) == 1


def test_neither_is_repaired_and_then_invalid() -> None:
    neither = {"answer": None, "missing_context": None}
    ask = ScriptedAsk(says(neither), says(ANSWER))
    assert run_llm(ask).rows == {"label": "good"}
    assert "does not say which rows" in ask.asked[1]["messages"][-1]["content"]
    with pytest.raises(InvalidAnswerError):
        run_llm(ScriptedAsk(says(neither)))


@pytest.mark.parametrize("value", [WISH, ANSWER])
def test_where_the_stage_does_not_let_it_a_wish_is_no_answer(value: dict[str, Any]) -> None:
    ask = ScriptedAsk(says(value))
    with pytest.raises(InvalidAnswerError):
        run_llm(ask, may=False)
    assert "missing_context" not in json.dumps(ask.asked[0]["messages"])


def test_in_a_pack_only_the_unit_that_asks_fails() -> None:
    items = [{"id": "0", "output": ANSWER}, {"id": "1", "output": WISH}]
    ask = ScriptedAsk(says({"answers": items}))
    units = [Unit(number, [{"text": "a row"}]) for number in range(2)]
    good, asking = asyncio.run(llm.capability.run_pack(units, [context_of(ask)] * 2))
    assert good == Returned({"label": "good"})
    assert isinstance(asking, MissingContextError)
    assert len(ask.asked) == 1, "a wish is an answer; nobody is asked again"


@pytest.mark.parametrize("said", [says(WISH), calls(("search_text", {"text": "row"}))])
def test_an_agent_may_ask_after_looking_and_keeps_its_transcript(said: Any) -> None:
    ask = ScriptedAsk(said, says(WISH))
    with pytest.raises(MissingContextError) as caught:
        run_agent(ask)
    assert caught.value.raw is not None
    assert json.loads(caught.value.raw)["steps"]
    assert str(caught.value) == "the other rows of the same thread"


def test_an_agents_answer_leaves_its_envelope_too() -> None:
    returned = run_agent(ScriptedAsk(says(ANSWER)))
    assert returned.rows == {"label": "good", "sources": []}


def test_an_agent_forced_to_answer_may_still_ask() -> None:
    ask = ScriptedAsk(says("no JSON"), says(WISH))
    with pytest.raises(MissingContextError):
        run_agent(ask)
    assert list(ask.asked[-1]["schema"]["properties"]) == ["answer", "missing_context"]


def test_parts_of_a_folded_group_do_not_ask_for_each_other() -> None:
    # given a group that does not fit: what a part misses may stand in the next one
    ask = ScriptedAsk(says({"label": "good"}), context_tokens=4_000)
    rows = [{"text": f"{number} " + "word " * 400} for number in range(20)]
    context = replace(
        context_of(ask), prompt=json.dumps(rows), render=lambda part: json.dumps(list(part))
    )
    assert asyncio.run(llm.capability.run(Unit(0, rows), context)).rows == {"label": "good"}
    assert len(ask.asked) > 2
    assert all(list(asked["schema"]["properties"]) == ["label"] for asked in ask.asked)
    assert "missing_context" not in json.dumps(ask.asked)
