"""`chat`: a ready body goes out as it is, or is refused with a code."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from services.worker.capabilities import chat
from services.worker.capabilities.chat_body import BodyRefused, ready_body
from shared.capabilities.registry import check_capability
from shared.llm.abilities import Abilities
from shared.llm.endpoints import Endpoint, Endpoints
from shared.llm.request import with_output_limit
from tests.unit.capabilities.scripted_ask import ScriptedAsk, says
from tests.unit.capabilities.units import context_of, unit_of

ENDPOINTS = Endpoints(
    {
        "default": Endpoint("default", "http://127.0.0.1:1/v1", "small-model"),
        "judge": Endpoint("judge", "http://127.0.0.1:2/v1", "large-model"),
    }
)
BODY = {"model": "small-model", "messages": [{"role": "user", "content": "Hi"}], "seed": 3}


@pytest.fixture(autouse=True)
def _configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("APWA_MODEL", "small-model")
    chat._offered.cache_clear()
    yield
    chat._offered.cache_clear()


def run(value: Any, ask: ScriptedAsk) -> dict[str, Any]:
    context = replace(context_of(), ask=ask)
    row: dict[str, Any] = asyncio.run(chat.capability.run(unit_of(value), context))
    return row


def refused(most_tokens: int = 1_000, **changes: Any) -> str:
    with pytest.raises(BodyRefused) as refusal:
        ready_body({**BODY, **changes}, ENDPOINTS, most_tokens)
    return refusal.value.code


def test_it_keeps_the_contract() -> None:
    assert check_capability(chat.capability) == []


@pytest.mark.parametrize("value", [BODY, json.dumps(BODY)])
def test_a_body_goes_out_as_it_is_and_its_answer_comes_back(value: Any) -> None:
    ask = ScriptedAsk(says(""))

    row = run(value, ask)

    assert ask.sent_raw == [(BODY, "default")]
    assert row == {"status_code": 200, "request_id": "req-1", "body": {"choices": []}}


def test_a_null_is_no_call() -> None:
    ask = ScriptedAsk(says(""))

    assert run(None, ask) == {"status_code": None, "request_id": None, "body": None}
    assert ask.sent_raw == []


@pytest.mark.parametrize("value", ["{", "[]", '"text"', 5])
def test_what_is_no_body_is_refused(value: Any) -> None:
    with pytest.raises(BodyRefused) as refusal:
        run(value, ScriptedAsk(says("")))

    assert refusal.value.code == "chat_body_invalid"


@pytest.mark.parametrize(
    ("model", "endpoint", "sent"),
    [
        ("small-model", "default", "small-model"),
        ("large-model", "judge", "large-model"),
        ("judge", "judge", "large-model"),
        ("worker", "default", "small-model"),
    ],
)
def test_the_model_chooses_its_endpoint(model: str, endpoint: str, sent: str) -> None:
    ready = ready_body({**BODY, "model": model}, ENDPOINTS, 1_000)

    assert (ready.endpoint, ready.body) == (endpoint, {**BODY, "model": sent})


@pytest.mark.parametrize("model", ["other-model", "", None, 5, ["small-model"]])
def test_a_model_that_is_not_offered_is_refused(model: Any) -> None:
    assert refused(model=model) == "model_not_allowed"


@pytest.mark.parametrize(
    "changes",
    [
        {"max_tokens": 1_001},
        {"max_completion_tokens": 1_001},
        {"max_tokens": 501, "n": 2},
        {"n": 2},
    ],
)
def test_more_tokens_than_allowed_are_refused(changes: dict[str, Any]) -> None:
    assert refused(**changes) == "too_many_tokens"


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": []},
        {"messages": "Hi"},
        {"messages": ["Hi"]},
        {"stream": True},
        {"max_tokens": "many"},
        {"max_tokens": 0},
        {"n": True},
    ],
)
def test_a_body_that_cannot_be_sent_is_refused(changes: dict[str, Any]) -> None:
    assert refused(**changes) == "chat_body_invalid"


def test_the_cap_goes_with_every_body_for_those_that_set_no_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APWA_CHAT_MAX_OUTPUT_TOKENS", "77")
    ask = ScriptedAsk(says(""))

    run(BODY, ask)

    assert ask.most_tokens == [77]


@pytest.mark.parametrize(
    "body", [BODY, {**BODY, "max_tokens": None, "max_completion_tokens": None}]
)
def test_a_body_without_a_limit_gets_one_in_the_words_of_its_endpoint(body: dict[str, Any]) -> None:
    newer = Abilities(output_limit="max_completion_tokens")

    assert with_output_limit(body, 77) == {**BODY, "max_tokens": 77}
    assert with_output_limit(body, 77, newer) == {**BODY, "max_completion_tokens": 77}


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_body_with_a_limit_keeps_its_own(name: str) -> None:
    body = {**BODY, name: 5}

    assert with_output_limit(body, 77, Abilities(output_limit="max_completion_tokens")) == body


def test_as_many_tokens_as_allowed_may_be_asked_for() -> None:
    body = {**BODY, "max_tokens": 500, "n": 2}

    assert ready_body(body, ENDPOINTS, 1_000).body == body
