"""`run_shard`: claim and run this shard."""

from dataclasses import dataclass
from typing import Any, ClassVar

from shared.messages.envelope import MalformedMessage, read_envelope


@dataclass(frozen=True, slots=True)
class RunShard:
    """Rings the one who waits on `queue`."""

    NAME: ClassVar[str] = "run_shard"
    QUEUE: ClassVar[str] = "shards"

    shard_id: int

    def encode(self) -> dict[str, Any]:
        """Return the JSON body."""
        return {"v": 1, "shard_id": self.shard_id}

    @staticmethod
    def decode(body: Any) -> "RunShard":
        """Read `encode`'s body; raise `MalformedMessage` for anything else."""
        value = read_envelope(body, "shard_id")
        if type(value) is not int or not 0 < value < 2**63:
            raise MalformedMessage("shard_id is not a positive 64-bit integer")
        return RunShard(value)
