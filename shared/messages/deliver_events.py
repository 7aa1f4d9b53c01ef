"""`deliver_events`: send whatever webhooks are due."""

from dataclasses import dataclass
from typing import Any, ClassVar

from shared.domain.ids import is_id
from shared.messages.envelope import MalformedMessage, read_envelope


@dataclass(frozen=True, slots=True)
class DeliverEvents:
    """Rings the one who waits on `queue`; the id is of the job or endpoint that has news."""

    NAME: ClassVar[str] = "deliver_events"
    QUEUE: ClassVar[str] = "notify"

    source_id: str

    def encode(self) -> dict[str, Any]:
        """Return the JSON body."""
        return {"v": 1, "source_id": self.source_id}

    @staticmethod
    def decode(body: Any) -> "DeliverEvents":
        """Read `encode`'s body; raise `MalformedMessage` for anything else."""
        value = read_envelope(body, "source_id")
        if not isinstance(value, str) or not (is_id(value, "job") or is_id(value, "whe")):
            raise MalformedMessage("source_id is not the id of a job or endpoint")
        return DeliverEvents(value)
