"""What an endpoint is known to be able to do."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

OutputLimit = Literal["max_tokens", "max_completion_tokens"]


@dataclass(frozen=True, slots=True)
class Abilities:
    """True and False were found out, None was not (never probed, or the probe was disturbed).

    `json_schema` means strict: the answer follows a schema the prompt does not mention.
    """

    json_schema: bool | None = None
    json_object: bool | None = None
    tools: bool | None = None
    images: bool | None = None
    usage: bool | None = None
    limit_headers: bool | None = None
    temperature: bool | None = None
    output_limit: OutputLimit = "max_tokens"

    def to_json(self) -> dict[str, Any]:
        """Return the form stored in Postgres."""
        return asdict(self)

    @staticmethod
    def from_json(value: dict[str, Any]) -> "Abilities":
        """Read what `to_json` wrote; unknown names, of another release, are left out."""
        known = {item.name for item in fields(Abilities)}
        return Abilities(**{name: told for name, told in value.items() if name in known})


UNKNOWN = Abilities()
