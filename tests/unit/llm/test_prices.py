"""What calls cost."""

from dataclasses import replace

import pytest

from shared.domain.model_call import Usage
from shared.llm.endpoints import Endpoint, TokenPrices
from shared.llm.prices import microusd, token_prices

PUBLIC = Endpoint("default", "https://api.openai.com/v1", "gpt-4o-mini")
MILLION = Usage(1_000_000, 1_000_000)


def test_a_known_model_has_the_listed_price():
    prices = token_prices(PUBLIC)

    assert prices is not None
    assert 0 < prices.input_usd_per_million < prices.output_usd_per_million
    assert microusd(Usage(1_000, 0), PUBLIC) == round(prices.input_usd_per_million * 1_000)


def test_the_price_of_an_unknown_model_is_not_known():
    assert microusd(MILLION, replace(PUBLIC, model="nobody-knows-1")) is None


def test_own_endpoints_cost_nothing():
    assert microusd(MILLION, replace(PUBLIC, own=True)) == 0
    assert microusd(MILLION, replace(PUBLIC, model="nobody-knows-1", own=True)) == 0


def test_prices_of_the_settings_win_even_on_own_endpoints():
    priced = replace(PUBLIC, own=True, prices=TokenPrices(2.0, 8.0))

    assert microusd(Usage(1_000, 100), priced) == 2_800


def test_cached_input_has_its_own_price():
    priced = replace(PUBLIC, prices=TokenPrices(2.0, 8.0, 0.5))

    assert microusd(Usage(1_000, 0, cached_tokens=600), priced) == 400 * 2 + 300
    assert microusd(Usage(1_000, 0, cached_tokens=9_999), priced) == 500


def test_a_long_prompt_is_priced_by_its_length():
    pro = Endpoint("g", "https://generativelanguage.googleapis.com/v1beta/openai", "gemini-2.5-pro")
    short = microusd(Usage(100_000, 0), pro)
    long = microusd(Usage(300_000, 0), pro)

    assert short is not None
    assert long is not None
    assert long > 3 * short


@pytest.mark.parametrize(("tokens", "cost"), [(0, 0), (1, 1), (2, 1), (3, 2)])
def test_micro_dollars_are_rounded_half_up(tokens: int, cost: int):
    priced = replace(PUBLIC, prices=TokenPrices(0.5, 0.5))

    assert microusd(Usage(tokens, 0), priced) == cost
