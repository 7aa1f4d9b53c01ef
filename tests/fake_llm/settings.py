"""How the fake endpoint behaves; changed at run time through ``PUT /control``."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Abilities:
    """What the endpoint takes; a request for anything else is answered 400, as servers do."""

    json_schema: bool = True
    json_object: bool = True
    tools: bool = True
    images: bool = True
    usage: bool = True
    temperature: bool = True
    max_tokens: bool = True  # False: only max_completion_tokens
    ignores_format: bool = False  # takes response_format, and answers prose all the same


@dataclass
class Behaviour:
    """All switches.

    `rates`: share of calls by fault name (`faults.NAMES`), drawn from `seed`, the call's markers
    and how often they were seen, so that the order of arrival does not matter; ``length`` at most
    once per row.
    `next_faults`: faults of the next calls, one each, before anything else ("ok" = none).
    `latency_ms`: ``{"fixed": 5}``, ``{"uniform": [1, 9]}`` or ``{"median": 200, "sigma": 0.5}``.
    `requests_per_minute`, `tokens_per_minute`: enforced with 429, told in headers.
    `context_tokens`: prompts that are longer are refused. `down`: every call is answered 503.
    """

    rates: dict[str, float] = field(default_factory=dict)
    next_faults: list[str] = field(default_factory=list)
    seed: int = 0
    latency_ms: dict[str, Any] = field(default_factory=dict)
    retry_after_s: float = 1.0
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    context_tokens: int | None = None
    down: bool = False
    drip_every_s: float = 10.0
    huge_bytes: int = 100_000_000
    keep_requests: bool = False  # write whole requests into the journal (`Call.request`)
    output_words: int = 0  # words each text field is stretched to
    tool_arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    abilities: Abilities = field(default_factory=Abilities)

    def change(self, changes: dict[str, Any]) -> None:
        """Replace the named switches; raises KeyError for a name there is none of."""
        known = {item.name for item in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise KeyError(name)
            if name == "abilities":
                value = Abilities(**{**asdict(self.abilities), **value})
            setattr(self, name, value)
