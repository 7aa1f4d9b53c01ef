"""What tokens cost, in micro-dollars: the endpoint's own prices, a package's, or unknown."""

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from shared.domain.model_call import Usage
from shared.llm.endpoints import Endpoint, TokenPrices

_FREE = TokenPrices(0.0, 0.0)
_PROBED_TOKENS = 1_000  # small enough to be below every price step for long prompts
LONG_PROMPT_TOKENS = 100_000  # from here on a model may have another price


def microusd(usage: Usage, endpoint: Endpoint) -> int | None:
    """Return what a call cost in micro-dollars, rounded half up; None when no price is known.

    Own endpoints cost nothing unless prices are set for them.
    """
    if endpoint.prices is None and not endpoint.own and usage.input_tokens > LONG_PROMPT_TOKENS:
        exact = _exact(usage, endpoint)
        if exact is not None:
            return exact
    prices = token_prices(endpoint)
    if prices is None:
        return None
    cached_price = prices.cached_usd_per_million
    cached = 0 if cached_price is None else min(usage.cached_tokens, usage.input_tokens)
    dollars = (
        (usage.input_tokens - cached) * prices.input_usd_per_million
        + cached * (cached_price or 0.0)
        + usage.output_tokens * prices.output_usd_per_million
    )
    return int(dollars + 0.5)  # dollars per million tokens are micro-dollars per token


def token_prices(endpoint: Endpoint) -> TokenPrices | None:
    """Return the prices of an endpoint's model; None when none is known."""
    if endpoint.prices is not None:
        return endpoint.prices
    if endpoint.own:
        return _FREE
    return _listed(endpoint.model, endpoint.base_url)


@lru_cache(maxsize=256)
def _listed(model: str, base_url: str) -> TokenPrices | None:
    tokens = _PROBED_TOKENS
    per_input = _cost(model, base_url, tokens, 0, 0)
    per_output = _cost(model, base_url, 0, tokens, 0)
    per_cached = _cost(model, base_url, tokens, 0, tokens)
    if per_input is None or per_output is None or per_cached is None:
        return None
    scale = Decimal(1_000_000) / tokens
    return TokenPrices(
        float(per_input * scale), float(per_output * scale), float(per_cached * scale)
    )


def _exact(usage: Usage, endpoint: Endpoint) -> int | None:
    cached = min(usage.cached_tokens, usage.input_tokens)
    cost = _cost(endpoint.model, endpoint.base_url, usage.input_tokens, usage.output_tokens, cached)
    if cost is None:
        return None
    return int((cost * 1_000_000).to_integral_value(ROUND_HALF_UP))


def _cost(
    model: str, base_url: str, tokens_in: int, tokens_out: int, cached: int
) -> Decimal | None:
    """Return dollars by the package's snapshot; it is part of the wheel, nothing is fetched."""
    import genai_prices  # takes a third of a second: not before a price is wanted

    usage = genai_prices.Usage(
        input_tokens=tokens_in, output_tokens=tokens_out, cache_read_tokens=cached
    )
    for address in (base_url, None):  # an unknown address may serve a well-known model
        try:
            found = genai_prices.calc_price(usage, model, provider_api_url=address)
        except (LookupError, ValueError):
            continue
        return found.total_price
    return None
