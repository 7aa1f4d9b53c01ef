"""The model endpoints this deployment has, read from its settings."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from marshmallow import Schema, ValidationError, fields, validate

from shared.llm.address import address_problem, is_own_address
from shared.settings import Settings, SettingsError, env_name

DEFAULT = "default"
ROLES = ("planner", "worker", "judge")  # served by `default` unless an endpoint has the name
FALLBACK = "fallback"
PUBLIC_URL = "https://api.openai.com/v1"
PUBLIC_MODEL = "gpt-4.1-mini"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """US dollars per million tokens; `cached` None = as dear as other input."""

    input_usd_per_million: float
    output_usd_per_million: float
    cached_usd_per_million: float | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model behind one address. Limits are per minute, None = only what headers tell.

    `fallback` names the endpoint that takes over when this one is down or out of credit. `own`
    endpoints cost nothing. The key is never shown: not in repr, logs or errors.
    """

    name: str
    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    context_tokens: int = 128_000
    requests_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None
    max_in_flight: int = 500
    prices: TokenPrices | None = None
    fallback: str | None = None
    own: bool = False

    @property
    def address_hash(self) -> str:
        """16 hex digits that stand for the address where it is stored or shared."""
        return hashlib.sha256(self.base_url.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """All endpoints by name; empty when no model is configured."""

    by_name: Mapping[str, Endpoint]

    def __bool__(self) -> bool:
        return bool(self.by_name)

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self.by_name.values())

    def find(self, name: str) -> Endpoint | None:
        """Return the endpoint a plan, a policy or a role names; None when there is none.

        Roles without an endpoint of their own are served by `default`.
        """
        found = self.by_name.get(name)
        return self.by_name.get(DEFAULT) if found is None and name in ROLES else found

    def fallback_of(self, endpoint: Endpoint) -> Endpoint | None:
        """Return the endpoint that takes over for this one."""
        named = endpoint.fallback or (FALLBACK if endpoint.name != FALLBACK else None)
        return self.by_name.get(named) if named else None

    def names(self) -> tuple[str, ...]:
        """Return every name `find` answers, sorted: what a plan may write as its model."""
        served = ROLES if DEFAULT in self.by_name else ()
        return tuple(sorted({*self.by_name, *served}))


def endpoints_of(settings: Settings) -> Endpoints:
    """Return the endpoints the settings describe; empty when neither key nor address is set.

    Raises SettingsError with every problem at once; no problem repeats a key.
    """
    found, problems = _named(settings)
    if key_problem(settings.openai_api_key):
        problems.append(f"{env_name('openai_api_key')}: {key_problem(settings.openai_api_key)}")
    default = _default(settings)
    if default is not None and DEFAULT not in found:
        if default.model:
            found = {DEFAULT: default, **found}
        else:
            wanting = env_name("openai_base_url")
            problems.append(f"{env_name('model')}: must be set when {wanting} is")
    problems += _fallback_problems(found)
    if problems:
        raise SettingsError(problems)
    return Endpoints(found)


def key_problem(api_key: str) -> str | None:
    """Return why a text cannot be sent as a key; None when it can."""
    if all("!" <= character <= "~" for character in api_key):
        return None
    return "must be printable ASCII without blanks"


class _PricesForm(Schema):
    input_usd_per_million = fields.Float(required=True, validate=validate.Range(min=0))
    output_usd_per_million = fields.Float(required=True, validate=validate.Range(min=0))
    cached_usd_per_million = fields.Float(validate=validate.Range(min=0))


class _EndpointForm(Schema):
    base_url = fields.String()
    api_key = fields.String()
    model = fields.String(validate=validate.Length(min=1, max=200))
    context_tokens = fields.Integer(strict=True, validate=validate.Range(min=256))
    requests_per_minute = fields.Integer(strict=True, validate=validate.Range(min=1))
    input_tokens_per_minute = fields.Integer(strict=True, validate=validate.Range(min=1))
    output_tokens_per_minute = fields.Integer(strict=True, validate=validate.Range(min=1))
    max_in_flight = fields.Integer(strict=True, validate=validate.Range(min=1, max=10_000))
    prices = fields.Nested(_PricesForm)
    fallback = fields.String()
    own = fields.Boolean(truthy={True}, falsy={False})


def _default(settings: Settings) -> Endpoint | None:
    if not settings.openai_api_key and not settings.openai_base_url:
        return None
    base_url = (settings.openai_base_url or PUBLIC_URL).rstrip("/")
    return Endpoint(
        DEFAULT,
        base_url,
        settings.model or ("" if settings.openai_base_url else PUBLIC_MODEL),
        settings.openai_api_key,
        own=is_own_address(base_url),
    )


def _named(settings: Settings) -> tuple[dict[str, Endpoint], list[str]]:
    setting = env_name("endpoints")
    if address := settings.openai_base_url:
        problem = address_problem(address)
        if problem:
            return {}, [f"{env_name('openai_base_url')}: {problem}"]
    if not settings.endpoints:
        return {}, []
    try:
        given = orjson.loads(settings.endpoints)
    except orjson.JSONDecodeError as error:
        return {}, [f"{setting}: is not JSON (line {error.lineno}, column {error.colno})"]
    if not isinstance(given, dict):
        return {}, [f"{setting}: must be a JSON object, one endpoint by each name"]
    found: dict[str, Endpoint] = {}
    problems: list[str] = []
    for name, form in given.items():
        where = f"{setting}: {name!r}"
        values, wrong = _form(name, form)
        if not wrong:
            values, wrong = _with_defaults(values, settings)
        if wrong:
            problems += [f"{where}: {text}" for text in wrong]
        else:
            found[name] = Endpoint(name=name, **values)
    return found, problems


def _form(name: str, form: Any) -> tuple[dict[str, Any], list[str]]:
    wrong = [] if _NAME.fullmatch(name) else [f"a name must match {_NAME.pattern}"]
    if not isinstance(form, dict):
        return {}, [*wrong, "must be a JSON object"]
    try:
        values: dict[str, Any] = _EndpointForm().load(form)
    except ValidationError as error:
        return {}, [*wrong, *_sentences(cast("dict[str, Any]", error.messages))]
    return values, wrong


def _with_defaults(values: dict[str, Any], settings: Settings) -> tuple[dict[str, Any], list[str]]:
    """Fill what is not given. The default key goes to the default address only."""
    wrong: list[str] = []
    default = _default(settings)
    if "base_url" in values:
        problem = address_problem(values["base_url"])
        wrong += [f"base_url: {problem}"] if problem else []
        values["base_url"] = values["base_url"].rstrip("/")
    elif default is not None:
        values["base_url"] = default.base_url
        values.setdefault("api_key", default.api_key)
    else:
        wrong.append(f"base_url: must be given when {env_name('openai_base_url')} is not set")
    if default is not None and values.get("base_url") == default.base_url:
        values.setdefault("api_key", default.api_key)
        values.setdefault("model", default.model)
    if key_problem(values.get("api_key", "")):
        wrong.append(f"api_key: {key_problem(values['api_key'])}")
    if not values.get("model"):
        wrong.append("model: must be given")
    if not wrong:
        values.setdefault("own", is_own_address(values["base_url"]))
        if "prices" in values:
            values["prices"] = TokenPrices(**values["prices"])
    return values, wrong


def _fallback_problems(found: Mapping[str, Endpoint]) -> list[str]:
    setting = env_name("endpoints")
    problems = []
    for name, endpoint in found.items():
        if endpoint.fallback is not None and endpoint.fallback not in found:
            problems.append(f"{setting}: {name!r}: fallback: there is no {endpoint.fallback!r}")
        elif endpoint.fallback == name:
            problems.append(f"{setting}: {name!r}: fallback: an endpoint cannot be its own")
    return problems


def _sentences(messages: Mapping[str, Any], prefix: str = "") -> list[str]:
    told = []
    for key, value in messages.items():
        if isinstance(value, Mapping):
            told += _sentences(value, f"{prefix}{key}.")
        else:
            told.append(f"{prefix}{key}: {' '.join(str(text) for text in value)}")
    return told
