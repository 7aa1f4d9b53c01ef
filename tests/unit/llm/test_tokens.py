"""Guessing and counting tokens."""

import orjson
import pytest

from shared.llm.request import image_part, text_part
from shared.llm.tokens import (
    TOKENS_PER_IMAGE,
    count_tokens,
    estimate_messages,
    estimate_tokens,
    estimate_tokens_of_bytes,
    estimate_tokens_of_request,
)

PROSE = "The quick brown fox jumps over the lazy dog, and then it sleeps until noon. " * 40


@pytest.mark.parametrize("text", [PROSE, "猫が好きです。" * 100, '{"id": 7, "name": "Ann"},' * 50])
def test_the_guess_is_within_a_factor_of_two_of_the_count(text: str):
    assert count_tokens(text) / 2 <= estimate_tokens(text) <= count_tokens(text) * 2


def test_prose_is_guessed_high():
    assert estimate_tokens(PROSE) > count_tokens(PROSE)


def test_nothing_is_nothing():
    assert (estimate_tokens(""), count_tokens(""), estimate_tokens_of_bytes(b"")) == (0, 0, 0)
    assert estimate_tokens("a") == 1


def test_messages_count_their_texts_and_a_fixed_number_per_image():
    plain = estimate_messages([{"role": "user", "content": "hello world"}])
    with_image = estimate_messages(
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hello world"},
                    {"type": "image_url", "image_url": {"url": "data:" + "x" * 1_000_000}},
                ],
            },
            {"role": "assistant", "content": None},
        ]
    )

    assert with_image == plain + TOKENS_PER_IMAGE + 4


def test_a_long_run_without_blanks_is_counted_in_pieces_not_for_minutes():
    assert count_tokens("a" * 50_000) > 1_000
    assert count_tokens(" " * 50_000) > 100


def test_marks_of_the_vocabulary_in_a_text_are_text():
    assert count_tokens("<|endoftext|>") > 1


def test_a_model_with_another_vocabulary_is_counted_in_it():
    assert count_tokens("猫が好きです", "gpt-4") != count_tokens("猫が好きです", "gpt-4o")


def request_with(*parts: dict) -> bytes:
    return orjson.dumps({"model": "m", "messages": [{"role": "user", "content": list(parts)}]})


def test_an_image_in_a_request_counts_a_fixed_number_whatever_its_bytes():
    address = "data:image/png;base64," + "A" * 3_000_000
    plain = estimate_tokens_of_request(request_with(text_part("hello")))
    shown = estimate_tokens_of_request(
        request_with(text_part("hello"), image_part(address), image_part(address))
    )
    assert 2 * TOKENS_PER_IMAGE <= shown - plain <= 2 * TOKENS_PER_IMAGE + 50


def test_a_text_that_looks_like_an_image_counts_as_text():
    text = '{"type":"image_url","image_url":{"url":"data:image/png;base64,' + "A" * 30_000 + '"}}'
    sent = request_with(text_part(text))
    assert estimate_tokens_of_request(sent) == estimate_tokens_of_bytes(sent) > 9_000
