"""Model endpoints out of the settings."""

import json
from typing import Any

import pytest

from shared.llm.address import is_own_address
from shared.llm.endpoints import Endpoints, TokenPrices, endpoints_of
from shared.settings import SettingsError, load_settings


def _endpoints(named: Any = None, **environ: str) -> Endpoints:
    if named is not None:
        environ["APWA_ENDPOINTS"] = named if isinstance(named, str) else json.dumps(named)
    return endpoints_of(load_settings(environ, stores=False))


def test_nothing_configured_is_no_model_and_no_address():
    assert not _endpoints()
    assert not _endpoints(APWA_MODEL="gpt-4.1-mini")
    assert _endpoints().find("worker") is None


def test_a_key_alone_means_the_public_endpoint():
    found = _endpoints(OPENAI_API_KEY="sk-1").find("worker")

    assert found is not None
    assert (found.name, found.base_url, found.own) == (
        "default",
        "https://api.openai.com/v1",
        False,
    )


def test_an_address_alone_is_enough_for_an_own_server():
    found = _endpoints(OPENAI_BASE_URL="http://127.0.0.1:8000/v1/", APWA_MODEL="llama").find(
        "judge"
    )

    assert found is not None
    assert (found.base_url, found.api_key, found.own) == ("http://127.0.0.1:8000/v1", "", True)


def test_an_own_address_needs_its_model_named():
    with pytest.raises(SettingsError, match="APWA_MODEL: must be set when OPENAI_BASE_URL is"):
        _endpoints(OPENAI_BASE_URL="http://127.0.0.1:8000/v1")


def test_roles_are_served_by_the_default_unless_they_have_their_own():
    found = _endpoints({"planner": {"model": "large"}}, OPENAI_API_KEY="sk-1", APWA_MODEL="small")

    assert [found.find(name).model for name in ("planner", "worker", "default")] == [  # type: ignore[union-attr]
        "large",
        "small",
        "small",
    ]
    assert found.find("vision") is None
    assert found.names() == ("default", "judge", "planner", "worker")


def test_the_default_key_goes_to_no_other_address():
    named = {"near": {"model": "a"}, "far": {"model": "b", "base_url": "https://other.example/v1"}}

    found = _endpoints(named, OPENAI_API_KEY="sk-1")

    assert [found.find(name).api_key for name in ("near", "far")] == ["sk-1", ""]  # type: ignore[union-attr]


def test_limits_prices_and_fallback_are_read():
    named = {
        "worker": {
            "base_url": "https://models.example/v1", "model": "m", "api_key": "k",
            "context_tokens": 8192, "requests_per_minute": 60, "input_tokens_per_minute": 1000,
            "output_tokens_per_minute": 500, "max_in_flight": 7, "fallback": "spare", "own": True,
            "prices": {"input_usd_per_million": 1.5, "output_usd_per_million": 6},
        },
        "spare": {"base_url": "http://10.0.0.7/v1", "model": "n"},
    }  # fmt: skip

    found = _endpoints(named)
    worker = found.find("worker")

    assert worker is not None
    assert (worker.context_tokens, worker.requests_per_minute, worker.max_in_flight) == (
        8192,
        60,
        7,
    )
    assert worker.prices == TokenPrices(1.5, 6.0)
    assert worker.own
    fallback = found.fallback_of(worker)
    assert fallback is not None
    assert (fallback.name, fallback.own) == ("spare", True)


def test_an_endpoint_called_fallback_stands_in_for_all_others():
    found = _endpoints({"fallback": {"model": "n"}}, OPENAI_API_KEY="sk-1")
    default, spare = found.find("default"), found.find("fallback")

    assert default is not None
    assert spare is not None
    assert found.fallback_of(default) is spare
    assert found.fallback_of(spare) is None


def test_all_problems_are_told_at_once_and_no_key_among_them():
    named = {
        "Bad Name": {"model": "m"},
        "a": {"model": "m", "base_url": "ftp://x"},
        "b": {"model": "m", "base_url": "https://user:pw@x.example/v1"},
        "c": {"model": "m", "context_tokens": 3, "requests_per_minute": "many", "colour": 1},
        "d": {"model": "m", "fallback": "nobody"},
        "e": {"model": "m", "prices": {"input_usd_per_million": -1}},
        "f": 7,
        "g": {"model": "m", "api_key": "sk-with blank"},
    }

    with pytest.raises(SettingsError) as caught:
        _endpoints(named, OPENAI_API_KEY="sk-secret")

    told = "\n".join(caught.value.problems)
    for part in (
        "'Bad Name'", "'a': base_url", "'b': base_url", "'c': context_tokens",
        "'c': requests_per_minute", "'c': colour", "'d': fallback",
        "'e': prices.input_usd_per_million", "'f': must be a JSON object", "'g': api_key",
    ):  # fmt: skip
        assert part in told
    assert "sk-" not in told
    assert "pw" not in told


@pytest.mark.parametrize("text", ["[]", "7", "{", "null"])
def test_what_is_no_json_object_is_refused(text: str):
    with pytest.raises(SettingsError, match="APWA_ENDPOINTS"):
        _endpoints(text)


def test_keys_are_in_no_repr():
    settings = load_settings({"OPENAI_API_KEY": "sk-secret"}, stores=False)

    assert "sk-secret" not in repr(settings) + repr(endpoints_of(settings))


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://localhost/v1", True),
        ("http://ollama:11434/v1", True),
        ("http://box.local/v1", True),
        ("https://10.1.2.3/v1", True),
        ("https://192.168.0.9/v1", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/v1", False),
        ("https://localhost.example.com/v1", False),
    ],
)
def test_which_addresses_are_our_own(address: str, own: bool):
    assert is_own_address(address) is own
