"""Chat completions as servers write them."""

import gzip
import json
from typing import Any

import pytest

from shared.domain.model_call import CallFailure, Reply, Usage
from shared.llm.answers import read_answer
from shared.llm.http_answer import BodyReader, Ended, HttpAnswer

JSON = {"content-type": "application/json"}


def _completion(message: dict[str, Any], **extra: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": message, "finish_reason": extra.pop("finish", "stop")}
    usage = {"prompt_tokens": 9, "completion_tokens": 3}
    return {"model": "m-1", "choices": [choice], "usage": usage, **extra}


def _read(body: Any, headers: dict[str, str] | None = None) -> Reply | CallFailure:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_answer(HttpAnswer(200, JSON if headers is None else headers, content), b"x" * 300)


def test_text_usage_and_model_are_read():
    reply = _read(_completion({"content": "hi"}))

    assert reply == Reply("hi", (), "stop", None, Usage(9, 3), "m-1")


def test_text_in_parts_is_joined():
    reply = _read(_completion({"content": [{"type": "text", "text": "a"}, {"text": "b"}, {}]}))

    assert isinstance(reply, Reply)
    assert reply.text == "ab"


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "9"}, {"prompt_tokens": -1}, []])
def test_usage_that_is_not_told_is_estimated_and_says_so(usage: Any):
    reply = _read(_completion({"content": "hi"}, usage=usage))

    assert isinstance(reply, Reply)
    assert reply.usage.estimated
    assert reply.usage.input_tokens == 100


def test_cached_tokens_and_the_other_vendors_names_are_read():
    usage = {
        "input_tokens": 9, "output_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4},
    }  # fmt: skip
    reply = _read(_completion({"content": "hi"}, usage=usage))

    assert isinstance(reply, Reply)
    assert reply.usage == Usage(9, 3, cached_tokens=4)


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "model_length"])
def test_every_word_for_cut_off_is_truncated(reason: str):
    came = _read(_completion({"content": '{"a": 1}'}, finish=reason))

    assert isinstance(came, CallFailure)
    assert (came.kind, came.raw, came.usage) == ("truncated", '{"a": 1}', Usage(9, 3))


def test_a_model_that_thought_until_its_limit_is_truncated_not_broken():
    came = _read(_completion({"content": None}, finish="length"))

    assert isinstance(came, CallFailure)
    assert came.kind == "truncated"


@pytest.mark.parametrize(
    ("message", "finish"),
    [
        ({"content": None, "refusal": "I will not."}, "stop"),
        ({"content": ""}, "content_filter"),
        ({"content": None}, "SAFETY"),
    ],
)
def test_refusals_and_filters_keep_their_reason(message: dict[str, Any], finish: str):
    came = _read(_completion(message, finish=finish))

    assert isinstance(came, CallFailure)
    assert came.kind == "refused"
    assert came.detail


def test_tool_calls_are_read_also_where_arguments_are_no_text():
    calls = [
        {"id": "c1", "function": {"name": "sql", "arguments": '{"q": 1}'}},
        {"function": {"name": "fetch", "arguments": {"url": "x"}}},
        {"function": {}},
        "odd",
    ]
    reply = _read(_completion({"content": None, "tool_calls": calls}, finish="tool_calls"))

    assert isinstance(reply, Reply)
    assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [
        ("c1", "sql", '{"q": 1}'),
        ("call_1", "fetch", '{"url":"x"}'),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"  ", b"null", b"[]", b'"hi"', b"{}", b'{"choices": null}', b'{"choices": [7]}',
        b'{"choices": [{}]}', b'{"choices": [{"message": null}]}', b'{"a": NaN}', b"\xff",
        b"[" * 100_000, b"data: {}\n\n",
    ],
)  # fmt: skip
def test_anything_else_with_200_is_a_bad_response(body: bytes):
    came = _read(body)

    assert isinstance(came, CallFailure)
    assert came.kind == "bad_response"


def test_a_byte_order_mark_and_a_missing_content_type_are_forgiven():
    body = b"\xef\xbb\xbf" + json.dumps(_completion({"content": "hi"})).encode()

    assert isinstance(_read(body, {}), Reply)
    assert isinstance(_read(body, {"content-type": "application/problem+json"}), Reply)


def test_the_cap_counts_what_a_body_unpacks_to():
    packed = gzip.compress(b"x" * 1_000)
    headers = {"content-encoding": "gzip"}

    assert BodyReader(200, headers, 1_000).feed(packed) == b"x" * 1_000
    with pytest.raises(Ended) as caught:
        BodyReader(200, headers, 999).feed(packed)
    assert caught.value.failure.kind == "too_large"


def test_a_declared_size_over_the_cap_is_refused_before_a_byte_is_read():
    with pytest.raises(Ended):
        BodyReader(200, {"content-length": "1001"}, 1_000)


def test_a_body_that_does_not_unpack_is_a_bad_response():
    with pytest.raises(Ended) as caught:
        BodyReader(200, {"content-encoding": "gzip"}, 1_000).feed(b"not gzip at all")
    assert caught.value.failure.kind == "bad_response"
