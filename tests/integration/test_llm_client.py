"""The model client against the fake endpoint: every row of the faults of models, both ways."""

import asyncio
import dataclasses
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.domain.model_call import CallFailure, Reply
from shared.llm.client import ModelClient
from shared.llm.endpoints import Endpoint
from shared.llm.http_answer import HttpAnswer
from shared.llm.request import chat_body
from shared.llm.structured import (
    Parsed,
    compile_validator,
    read_structured,
    repair_messages,
    response_format,
)
from tests.eventually import eventually
from tests.fake_llm.journal import Call
from tests.fake_llm.process import FakeModel

WAYS = ("package", "plain")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"label": {"type": "string", "enum": ["a", "b"]}, "note": {"type": "string"}},
    "required": ["label", "note"],
    "additionalProperties": False,
}
# fault of the endpoint -> kind, HTTP status as far as it got
KINDS: dict[str, tuple[str, int | None]] = {
    "429": ("rate_limited", 429),
    "429_date": ("rate_limited", 429),
    "429_silent": ("rate_limited", 429),
    "quota": ("quota", 429),
    "500": ("overloaded", 500),
    "502": ("overloaded", 502),
    "503": ("overloaded", 503),
    "504": ("overloaded", 504),
    "529": ("overloaded", 529),
    "408": ("overloaded", 408),
    "409": ("overloaded", 409),
    "425": ("overloaded", 425),
    "html_502": ("overloaded", 502),
    "reset": ("overloaded", None),
    "400": ("permanent", 400),
    "401": ("permanent", 401),
    "403": ("permanent", 403),
    "404": ("permanent", 404),
    "context": ("context_overflow", 400),
    "hang": ("deadline", None),
    "hang_body": ("deadline", None),
    "drip": ("deadline", None),
    "length": ("truncated", 200),
    "refusal": ("refused", 200),
    "content_filter": ("refused", 200),
    "filter_400": ("refused", 400),
    "empty_choices": ("bad_response", 200),
    "null_content": ("bad_response", 200),
    "html": ("bad_response", 200),
    "content_type": ("bad_response", 200),
    "not_utf8": ("bad_response", 200),
    "not_json": ("bad_response", 200),
    "empty_body": ("bad_response", 200),
    "brotli": ("bad_response", 200),
    "cut": ("bad_response", None),
    "garbage": ("bad_response", None),
    "error_in_200": ("overloaded", 502),
    "huge": ("too_large", 200),
    "huge_declared": ("too_large", 200),
    "bomb": ("too_large", 200),
    "redirect": ("redirect", 302),
    "bad_json": ("bad_output", None),
    "schema": ("bad_output", None),
    "empty_text": ("bad_output", None),
}
UNUSABLE_AFTER_DEADLINE = ("hang", "hang_body", "drip")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("fake")) as running:
        yield running


@pytest.mark.parametrize("via", WAYS)
@pytest.mark.parametrize("fault", KINDS)
def test_every_fault_of_a_model_has_its_own_kind(model: FakeModel, via: str, fault: str):
    deadline_s = 0.4 if fault in UNUSABLE_AFTER_DEADLINE else 20

    came = _ask(model, via, f"Row MARK-1 FAULT:{fault}", deadline_s=deadline_s)

    assert isinstance(came, CallFailure)
    assert (came.kind, came.status) == KINDS[fault], came.detail
    assert came.detail


@pytest.mark.parametrize("via", WAYS)
@pytest.mark.parametrize("fault", ["fenced", "prose", "bom", "thought", "gzip"])
def test_text_around_the_json_and_packed_bodies_are_no_fault(
    model: FakeModel, via: str, fault: str
):
    came = _ask(model, via, f"Row MARK-2 FAULT:{fault}")

    assert isinstance(came, Parsed)
    assert came.value["note"].startswith("MARK-2")


@pytest.mark.parametrize("via", WAYS)
def test_a_good_answer_carries_text_usage_and_model(model: FakeModel, via: str):
    model.forget()

    reply = _call(model, via, "Row MARK-3")

    assert isinstance(reply, Reply)
    assert (reply.finish_reason, reply.model) == ("stop", "fake-1")
    assert not reply.usage.estimated
    call = _journalled(model)
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (
        call.tokens_in,
        call.tokens_out,
    )
    assert call.markers == ["MARK-3"]
    assert call.answered


@pytest.mark.parametrize("via", WAYS)
@pytest.mark.parametrize("fault", ["429", "429_date"])
def test_retry_after_is_read_as_seconds_and_as_a_date(model: FakeModel, via: str, fault: str):
    model.change(retry_after_s=7)

    came = _call(model, via, f"Row FAULT:{fault}")

    assert isinstance(came, CallFailure)
    assert came.retry_after_s is not None
    assert 6 <= came.retry_after_s <= 7
    assert not came.burns_attempt


def test_what_was_paid_for_is_known_when_the_answer_is_not_usable(model: FakeModel):
    for fault in ("length", "refusal", "bad_json", "empty_choices"):
        came = _ask(model, "package", f"Row MARK-4 FAULT:{fault}")

        assert isinstance(came, CallFailure), fault
        assert came.usage is not None, fault
        assert came.usage.input_tokens > 0, fault


def test_a_truncated_answer_is_never_read_as_a_success(model: FakeModel):
    body = chat_body(_endpoint(model), _messages("Row MARK-5"), max_output_tokens=3)

    came = asyncio.run(_once(_endpoint(model), "package", body, 10))

    assert isinstance(came, CallFailure)
    assert came.kind == "truncated"
    assert came.raw


def test_a_wrong_answer_shown_with_its_error_is_repaired(model: FakeModel):
    row = "Row MARK-6 FAULT:bad_json*1"

    first = _ask(model, "package", row)
    assert isinstance(first, CallFailure)
    messages = [*_messages(row), *repair_messages(first.raw or "", first.detail)]
    second = _read(model, messages)

    assert isinstance(second, Parsed)
    assert second.value["note"].startswith("MARK-6")


@pytest.mark.parametrize("via", WAYS)
def test_an_answer_that_is_too_large_is_not_read_to_its_end(model: FakeModel, via: str):
    model.forget()

    came = _call(model, via, "Row FAULT:huge")

    assert isinstance(came, CallFailure)
    assert came.kind == "too_large"
    assert not _journalled(model).answered


@pytest.mark.parametrize("via", WAYS)
def test_a_call_cut_at_its_deadline_closes_its_connection(model: FakeModel, via: str):
    model.forget()

    came = _call(model, via, "Row FAULT:hang", deadline_s=0.3)

    assert isinstance(came, CallFailure)
    assert came.kind == "deadline"
    assert (_journalled(model).fault, _journalled(model).answered) == ("hang", False)


@pytest.mark.parametrize("via", WAYS)
def test_the_client_never_retries_by_itself(model: FakeModel, via: str):
    model.forget()

    for fault in ("500", "429", "reset", "408"):
        _call(model, via, f"Row FAULT:{fault}")

    assert len(eventually(lambda: len(model.calls()) >= 4 and model.calls())) == 4


@pytest.mark.parametrize("via", WAYS)
def test_limits_are_read_from_the_headers_and_enforced_ones_are_told(model: FakeModel, via: str):
    model.change(requests_per_minute=2)
    try:
        first, _second, third = [_call(model, via, "Row") for _ in range(3)]
    finally:
        model.change(requests_per_minute=None)

    assert isinstance(first, Reply)
    assert first.limits is not None
    assert (first.limits.requests_limit, first.limits.requests_remaining) == (2, 1)
    assert isinstance(third, CallFailure)
    assert third.kind == "rate_limited"
    assert third.limits is not None
    assert third.limits.requests_remaining == 0
    assert 1 <= (third.retry_after_s or 0) <= 60


@pytest.mark.parametrize("via", WAYS)
def test_a_prompt_longer_than_the_context_is_told_as_such(model: FakeModel, via: str):
    model.change(context_tokens=50)
    try:
        came = _call(model, via, "word " * 500)
    finally:
        model.change(context_tokens=None)

    assert isinstance(came, CallFailure)
    assert came.kind == "context_overflow"
    assert "50 tokens" in came.detail


@pytest.mark.parametrize("via", WAYS)
def test_no_connection_and_no_tls_count_as_overloaded(model: FakeModel, via: str):
    closed = dataclasses.replace(_endpoint(model), base_url="http://127.0.0.1:9/v1")
    spoken_to_in_tls = dataclasses.replace(
        _endpoint(model), base_url=model.base_url.replace("http:", "https:")
    )

    for endpoint in (closed, spoken_to_in_tls):
        came = asyncio.run(_once(endpoint, via, chat_body(endpoint, _messages("Row")), 10))

        assert isinstance(came, CallFailure)
        assert (came.kind, came.scope) == ("overloaded", "endpoint"), came.detail


def test_tool_calls_come_with_their_arguments(model: FakeModel):
    tool = {
        "type": "function",
        "function": {
            "name": "search_text",
            "parameters": {"type": "object", "properties": {"words": {"type": "string"}}},
        },
    }
    body = chat_body(_endpoint(model), _messages("Row MARK-7"), tools=[tool])

    came = asyncio.run(_once(_endpoint(model), "package", body, 10))

    assert isinstance(came, Reply)
    assert came.text is None
    assert [call.name for call in came.tool_calls] == ["search_text"]
    assert "MARK-7" in came.tool_calls[0].arguments


@pytest.mark.parametrize("via", WAYS)
def test_a_ready_body_is_sent_as_it_is_and_its_answer_left_unread(model: FakeModel, via: str):
    body = {"model": "other", "messages": _messages("Row MARK-8 FAULT:404")}

    came = asyncio.run(_sent(_endpoint(model), via, body))

    assert isinstance(came, HttpAnswer)
    assert came.status == 404
    assert b"model_not_found" in came.content


@pytest.mark.parametrize("via", WAYS)
def test_the_environment_neither_redirects_calls_nor_adds_to_them(
    monkeypatch: pytest.MonkeyPatch, via: str
):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-the-environment")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: of the environment")
    with _Listener() as listener:
        endpoint = Endpoint("default", listener.base_url, "fake-1", "sk-own")

        asyncio.run(_once(endpoint, via, chat_body(endpoint, _messages("Row")), 10))

    assert listener.headers["authorization"] == "Bearer sk-own"
    assert "environment" not in str(listener.headers)


@pytest.mark.parametrize("via", WAYS)
def test_a_key_the_server_repeats_is_not_told(via: str):
    with _Listener(b'{"error": {"message": "wrong key sk-own-secret"}}', 401) as listener:
        endpoint = Endpoint("default", listener.base_url, "fake-1", "sk-own-secret")

        came = asyncio.run(_once(endpoint, via, chat_body(endpoint, _messages("Row")), 10))

    assert isinstance(came, CallFailure)
    assert "wrong key ***" in came.detail
    assert "sk-own-secret" not in repr(came) + repr(endpoint)


def test_five_hundred_calls_are_in_flight_at_once(tmp_path: Path):
    with FakeModel(tmp_path, latency_ms={"fixed": 1500}) as slow:
        endpoint = Endpoint("default", slow.base_url, "fake-1", max_in_flight=500)

        replies = asyncio.run(_many(endpoint, 500))

        assert all(isinstance(reply, Reply) for reply in replies)
        assert (
            slow.stats()["most_in_flight"] > 250
        )  # 100 is where the package stops when it is not told a number


def _endpoint(model: FakeModel) -> Endpoint:
    return Endpoint("default", model.base_url, "fake-1")


def _messages(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _call(model: FakeModel, via: str, text: str, deadline_s: float = 10) -> Reply | CallFailure:
    return asyncio.run(
        _once(_endpoint(model), via, chat_body(_endpoint(model), _messages(text)), deadline_s)
    )


def _ask(model: FakeModel, via: str, text: str, deadline_s: float = 10) -> Parsed | CallFailure:
    """Ask for structured output and read it."""
    body = chat_body(
        _endpoint(model), _messages(text), response_format=response_format("json_schema", SCHEMA)
    )
    reply = asyncio.run(_once(_endpoint(model), via, body, deadline_s))
    return read_structured(reply, compile_validator(SCHEMA))


def _read(model: FakeModel, messages: list[dict[str, Any]]) -> Parsed | CallFailure:
    form = response_format("json_schema", SCHEMA)
    body = chat_body(_endpoint(model), messages, response_format=form)
    reply = asyncio.run(_once(_endpoint(model), "package", body, 10))
    return read_structured(reply, compile_validator(SCHEMA))


async def _once(
    endpoint: Endpoint, via: Any, body: dict[str, Any], deadline_s: float
) -> Reply | CallFailure:
    client = ModelClient(endpoint, via=via, answer_max_bytes=2_000_000)
    try:
        return await client.call(body, deadline_s=deadline_s)
    finally:
        await client.close()


async def _sent(endpoint: Endpoint, via: Any, body: dict[str, Any]) -> HttpAnswer | CallFailure:
    client = ModelClient(endpoint, via=via)
    try:
        return await client.send(body, deadline_s=10)
    finally:
        await client.close()


async def _many(endpoint: Endpoint, count: int) -> list[Reply | CallFailure]:
    client = ModelClient(endpoint)
    try:
        body = chat_body(endpoint, _messages("Row"))
        return await asyncio.gather(*(client.call(body, deadline_s=60) for _ in range(count)))
    finally:
        await client.close()


def _journalled(model: FakeModel) -> Call:
    """Return the one call of the journal, once it is there."""
    calls = eventually(model.calls)
    assert len(calls) == 1
    return calls[0]


class _Listener:
    """A server that keeps the headers of the last request."""

    def __init__(self, body: bytes = b"{}", status: int = 200) -> None:
        self.headers: dict[str, str] = {}
        listener = self

        class Answering(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                listener.headers = {key.lower(): value for key, value in self.headers.items()}
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "_Listener":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
