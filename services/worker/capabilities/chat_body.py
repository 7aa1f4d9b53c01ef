"""What a ready chat body may ask for: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.llm.endpoints import Endpoints
from shared.llm.request import OUTPUT_LIMITS, stated_output_tokens


class BodyRefused(ValueError):
    """The body is not sent.

    `code` is ``chat_body_invalid``, ``model_not_allowed`` or ``too_many_tokens``.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class ReadyBody:
    """A body that may be sent, and the name of the endpoint that serves its model."""

    body: dict[str, Any]
    endpoint: str


def ready_body(value: Any, endpoints: Endpoints, most_tokens: int) -> ReadyBody:
    """Check a body; raise BodyRefused. `model` may be an endpoint's name or its model.

    A name is replaced by that endpoint's model; nothing else is changed.
    """
    if not isinstance(value, Mapping):
        raise BodyRefused("chat_body_invalid", "A chat body is a JSON object.")
    messages = value.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, Mapping) for one in messages):
        raise BodyRefused("chat_body_invalid", "`messages` must be a list of objects.")
    if not messages:
        raise BodyRefused("chat_body_invalid", "`messages` must not be empty.")
    if value.get("stream"):
        raise BodyRefused("chat_body_invalid", "`stream` is not possible here; leave it out.")
    _check_tokens(value, most_tokens)
    name, model = _endpoint(value.get("model"), endpoints)
    return ReadyBody({**value, "model": model}, name)


def _check_tokens(body: Mapping[str, Any], most_tokens: int) -> None:
    answers = _whole(body, "n") or 1
    for name in OUTPUT_LIMITS:
        limit = _whole(body, name)
        if limit is not None and limit * answers > most_tokens:
            detail = f"`{name}` times `n` is {limit * answers}; at most {most_tokens} are allowed."
            raise BodyRefused("too_many_tokens", detail)
    if answers > 1 and stated_output_tokens(body) is None:
        raise BodyRefused("too_many_tokens", "Say `max_tokens` where `n` is above 1.")


def _whole(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BodyRefused("chat_body_invalid", f"`{name}` must be a whole number above 0.")
    return value


def _endpoint(model: Any, endpoints: Endpoints) -> tuple[str, str]:
    if isinstance(model, str):
        for endpoint in endpoints:
            if endpoint.model == model:
                return endpoint.name, model
        named = endpoints.find(model)
        if named is not None:
            return named.name, named.model
    offered = sorted({*endpoints.names(), *(endpoint.model for endpoint in endpoints)})
    detail = f"Model {str(model)[:100]!r} is not offered; there is {', '.join(offered) or 'none'}."
    raise BodyRefused("model_not_allowed", detail)
