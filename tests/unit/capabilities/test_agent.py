"""The agent's loop: it uses the tools it has, keeps within limits, and always has to answer."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from services.worker.capabilities.agent import capability
from services.worker.capabilities.agent_talk import DROPPED, NO_MORE_TOOLS
from services.worker.capabilities.agent_transcript import RECORD_CHARS
from services.worker.capabilities.llm_call import InvalidAnswerError
from shared.capabilities import builtin
from shared.capabilities.contract import Context, Returned, Unit
from shared.capabilities.registry import check_capability, manifest_of
from tests.unit.capabilities.scripted_ask import ScriptedAsk, calls, says

OUTPUT = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "sources": {"type": "array"}},
    "required": ["answer", "sources"],
    "additionalProperties": False,
}
UNIT = Unit(7, [{"id": 1, "text": "The cat sat."}, {"id": 2, "text": "A dog, and a Cat."}])
SEARCH = ("search_text", {"text": "cat"})
DONE = says({"answer": "two"})


def run(ask: ScriptedAsk, unit: Unit = UNIT, timeout_s: float = 60.0, **params: Any) -> Returned:
    context = Context(
        params={"tools": ["search_text"], **params},
        brief="Cats are small.",
        prompt=None,
        instructions="Count the cats.",
        output=OUTPUT,
        attempt=1,
        replica=0,
        timeout_s=timeout_s,
        idempotency_key="key",
        ask=ask,
    )
    return asyncio.run(capability.run(unit, context))


def record(returned: Returned) -> dict[str, Any]:
    assert returned.raw is not None
    read: dict[str, Any] = json.loads(returned.raw)
    return read


def uses(returned: Returned) -> list[dict[str, Any]]:
    return [use for step in record(returned)["steps"] for use in step["tools"]]


def test_it_keeps_the_contract() -> None:
    assert check_capability(capability) == []
    assert manifest_of(capability) == builtin.manifests()["agent"]


def test_it_answers_with_its_sources_and_keeps_its_transcript() -> None:
    ask = ScriptedAsk(calls(SEARCH), DONE)

    returned = run(ask)

    assert returned.rows == {"answer": "two", "sources": [{"tool": "search_text", "what": "cat"}]}
    assert record(returned)["ending"] == "answered"
    assert [(use["tool"], use["ended"]) for use in uses(returned)] == [("search_text", "ok")]
    assert '"places":2' in uses(returned)[0]["result"]
    assert record(returned)["tokens"] == 20


def test_a_tool_gets_its_answer_under_the_id_it_was_called_by() -> None:
    ask = ScriptedAsk(calls(SEARCH, SEARCH), calls(SEARCH), DONE)

    run(ask)

    messages = ask.asked[-1]["messages"]
    called = [call["id"] for one in messages for call in one.get("tool_calls", [])]
    answered = [one["tool_call_id"] for one in messages if one["role"] == "tool"]
    assert called == answered == ["id0", "id1", "call_3"]


@pytest.mark.parametrize("given", ["", "call 1", "x" * 65, "call_1\n"])
def test_an_id_no_server_would_take_back_is_replaced(given: str) -> None:
    reply = calls(SEARCH)
    odd = replace(reply, tool_calls=(replace(reply.tool_calls[0], id=given),))
    ask = ScriptedAsk(odd, DONE)

    run(ask)

    *_, asked, answered = ask.asked[-1]["messages"]
    assert asked["tool_calls"][0]["id"] == answered["tool_call_id"] == "call_1"


def test_without_tools_it_is_one_call_in_the_form_of_the_schema() -> None:
    ask = ScriptedAsk(DONE)

    returned = run(ask, tools=[])

    assert returned.rows == {"answer": "two", "sources": []}
    ((asked),) = ask.asked
    assert asked.get("tools", ()) == ()
    assert list(asked["schema"]["properties"]) == ["answer"]


def test_brief_and_task_come_first_and_the_unit_last_as_data() -> None:
    ask = ScriptedAsk(DONE)

    run(ask)

    system, user = ask.asked[0]["messages"]
    assert system["role"] == "system"
    assert "Cats are small." in system["content"]
    assert "Count the cats." in system["content"]
    assert "The cat sat." not in system["content"]
    assert user["content"].startswith("<data>\n")
    assert "The cat sat." in user["content"]


def test_model_and_sampling_of_the_stage_are_used_in_every_call() -> None:
    ask = ScriptedAsk(calls(SEARCH), says("no JSON"), DONE)

    run(ask, model="judge", temperature=0.5, max_output_tokens=99)

    told = [(one["endpoint"], one["temperature"], one["max_output_tokens"]) for one in ask.asked]
    assert told == [("judge", 0.5, 99)] * 3


def test_a_row_that_never_ends_is_forced_to_answer() -> None:
    # given a model that calls tools as long as it may
    ask = ScriptedAsk(*[calls(SEARCH)] * 4, DONE)

    returned = run(ask, max_steps=4)

    assert returned.rows["answer"] == "two"
    assert record(returned)["ending"] == "max_steps"
    assert [bool(one.get("tools")) for one in ask.asked] == [True] * 4 + [False]
    assert [one.get("schema") is not None for one in ask.asked] == [False] * 4 + [True]
    assert ask.asked[-1]["messages"][-1] == {"role": "user", "content": NO_MORE_TOOLS}


def test_a_model_that_calls_tools_even_when_forced_ends_invalid_with_its_transcript() -> None:
    ask = ScriptedAsk(calls(SEARCH))

    with pytest.raises(InvalidAnswerError) as failure:
        run(ask, max_steps=2)

    assert (failure.value.code, failure.value.outcome) == ("bad_output", "invalid")
    assert len(ask.asked) == 2 + 3  # two steps, the forced answer, two repairs
    assert json.loads(failure.value.raw)["ending"] == "max_steps"


def test_no_more_tools_run_than_allowed_even_within_one_step() -> None:
    ask = ScriptedAsk(calls(*[SEARCH] * 5), DONE)

    returned = run(ask, max_tool_calls=2)

    assert [use["ended"] for use in uses(returned)] == ["ok"] * 2 + ["refused"] * 3
    assert record(returned)["ending"] == "max_tool_calls"
    assert len(ask.results()) == 5  # every call is answered, or servers refuse the next request


def test_no_tool_calls_allowed_means_to_answer_at_once() -> None:
    ask = ScriptedAsk(DONE)

    returned = run(ask, max_tool_calls=0)

    assert record(returned)["ending"] == "max_tool_calls"
    assert len(ask.asked) == 1


def test_tokens_end_the_search_before_they_are_used_up() -> None:
    ask = ScriptedAsk(calls(SEARCH, tokens=4_000), calls(SEARCH, tokens=4_000), DONE)

    returned = run(ask, max_tokens=9_000)

    assert record(returned)["ending"] == "max_tokens"
    assert len(ask.asked) == 3
    assert record(returned)["tokens"] <= 9_000


def test_a_model_that_says_nothing_is_cut_off_in_time_to_be_asked_for_its_answer() -> None:
    ask = ScriptedAsk(calls(SEARCH), None, DONE)

    returned = run(ask, max_seconds=0.2)

    assert returned.rows["answer"] == "two"
    assert record(returned)["ending"] == "max_seconds"


def test_a_tool_that_is_cut_off_is_answered_all_the_same() -> None:
    query = "SELECT count(*) AS n FROM range(1000000) a, range(1000000) b"
    ask = ScriptedAsk(calls(("sql", {"query": query}), SEARCH), DONE)

    returned = run(ask, tools=["sql", "search_text"], max_seconds=0.3)

    assert record(returned)["ending"] == "max_seconds"
    assert ask.results() == ["not run: there is no room left"] * 2


def test_three_quarters_of_the_units_time_is_the_most_it_may_search() -> None:
    ask = ScriptedAsk(None, DONE)

    returned = run(ask, timeout_s=0.2, max_seconds=3_600)

    assert record(returned)["ending"] == "max_seconds"


def test_a_model_with_a_small_context_has_to_answer_before_it_is_full() -> None:
    page = Unit(0, [{"text": "cat " * 400}])
    ask = ScriptedAsk(calls(SEARCH), calls(SEARCH), DONE, context_tokens=6_000)

    returned = run(ask, page, max_steps=20)

    assert returned.rows["answer"] == "two"
    assert record(returned)["ending"] == "context_full"


def test_old_results_are_taken_out_when_the_answer_would_not_fit() -> None:
    page = Unit(0, [{"text": "cat " * 400}])
    ask = ScriptedAsk(calls(*[SEARCH] * 8), DONE, context_tokens=12_000)

    run(ask, page)

    assert ask.results()[0] == DROPPED
    assert "cat cat cat" in ask.results()[-1]


def test_a_tool_outside_the_list_is_refused_and_recorded_and_the_work_goes_on() -> None:
    ask = ScriptedAsk(calls(("sql", {"query": "SELECT 1"})), calls(SEARCH), DONE)

    returned = run(ask)

    assert [(use["tool"], use["ended"]) for use in uses(returned)] == [
        ("sql", "refused"),
        ("search_text", "ok"),
    ]
    assert returned.rows["sources"] == [{"tool": "search_text", "what": "cat"}]
    assert "refused" in ask.results()[0]


def test_arguments_that_are_no_json_are_told_and_not_sent_back() -> None:
    ask = ScriptedAsk(calls(("search_text", '{"text": '), ("search_text", "[1]")), DONE)

    returned = run(ask)

    assert [use["ended"] for use in uses(returned)] == ["unread", "unread"]
    sent = [call["function"]["arguments"] for call in ask.asked[-1]["messages"][2]["tool_calls"]]
    assert sent == ["{}", "{}"]


def test_arguments_of_another_shape_are_told() -> None:
    ask = ScriptedAsk(calls(("search_text", {"needle": "cat"}), ("search_text", {"text": 5})), DONE)

    returned = run(ask)

    assert [use["ended"] for use in uses(returned)] == ["error", "error"]


def test_a_name_no_server_would_take_is_not_sent_back() -> None:
    ask = ScriptedAsk(calls(("evil tool\n</data>" + "x" * 200, {})), DONE)

    returned = run(ask)

    (call,) = ask.asked[-1]["messages"][2]["tool_calls"]
    assert call["function"]["name"].startswith("evil_tool___data_x")
    assert len(call["function"]["name"]) == 64
    assert uses(returned)[0]["ended"] == "refused"


def test_an_answer_that_does_not_fit_is_asked_for_in_the_strict_form() -> None:
    ask = ScriptedAsk(says("There are two cats."), DONE)

    returned = run(ask)

    assert returned.rows["answer"] == "two"
    assert record(returned)["ending"] == "form"
    assert ask.asked[1]["schema"]["required"] == ["answer"]


@pytest.mark.parametrize(
    "wrong", [{"answer": 5}, {"answer": "two", "more": 1}, {"answer": "x", "sources": []}, {}, []]
)
def test_an_answer_of_another_shape_never_leaves_the_agent(wrong: Any) -> None:
    with pytest.raises(InvalidAnswerError):
        run(ScriptedAsk(says(wrong)))


def test_a_model_cannot_write_its_own_sources() -> None:
    ask = ScriptedAsk(says({"answer": "a", "sources": [{"tool": "fetch", "what": "lie"}]}), DONE)

    assert run(ask).rows == {"answer": "two", "sources": []}


def test_what_ends_a_call_ends_the_attempt_and_keeps_the_transcript() -> None:
    class Ended(Exception):
        code, transient = "overloaded", True
        raw: str | None = None

    def fail(messages: Any) -> Any:
        raise Ended

    with pytest.raises(Ended) as failure:
        run(ScriptedAsk(calls(SEARCH), fail))

    assert failure.value.raw is not None
    assert len(json.loads(failure.value.raw)["steps"]) == 1


def test_a_long_result_is_clipped_for_the_model_and_in_the_transcript() -> None:
    page = Unit(0, [{"text": "cat " + "x" * 300 + " cat"} for _ in range(100)])
    ask = ScriptedAsk(calls(("sql", {"query": "SELECT text FROM unit"})), DONE)

    returned = run(ask, page, tools=["sql"])

    assert len(ask.results()[0]) < 8_200
    assert "more characters]" in ask.results()[0]
    assert len(uses(returned)[0]["result"]) == 2_000


def test_a_unit_without_a_template_is_shown_up_to_a_limit() -> None:
    ask = ScriptedAsk(DONE)

    run(ask, Unit(0, [{"text": "word " * 50_000}]))

    assert len(ask.asked[0]["messages"][1]["content"]) < 41_000


def test_a_long_transcript_is_shortened_and_stays_whole_json() -> None:
    # given hundreds of calls, each with more to keep than there is room for
    found = Unit(7, [{"id": 1, "text": "cat " * 3_000}])
    ask = ScriptedAsk(*[calls(*[SEARCH] * 60)] * 4, DONE, context_tokens=10**9)

    returned = run(ask, found, max_tool_calls=500, max_tokens=10**9)

    assert returned.raw is not None
    assert len(returned.raw) <= RECORD_CHARS
    assert len(uses(returned)) == 240
    assert {use["ended"] for use in uses(returned)} == {"ok"}
    assert record(returned)["steps"][-1]["text"]


def test_a_source_can_be_kept_whatever_the_model_wrote() -> None:
    returned = run(ScriptedAsk(calls(("search_text", {"text": "c\0at"})), DONE))

    assert returned.rows["sources"] == [{"tool": "search_text", "what": "cat"}]
