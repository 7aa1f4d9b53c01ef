"""`dispatch_job`: publish this job's due shards within its window."""

from dataclasses import dataclass
from typing import Any, ClassVar

from shared.domain.ids import is_id
from shared.messages.envelope import MalformedMessage, read_envelope


@dataclass(frozen=True, slots=True)
class DispatchJob:
    """Rings the one who waits on `queue`."""

    NAME: ClassVar[str] = "dispatch_job"
    QUEUE: ClassVar[str] = "dispatch"

    job_id: str

    def encode(self) -> dict[str, Any]:
        """Return the JSON body."""
        return {"v": 1, "job_id": self.job_id}

    @staticmethod
    def decode(body: Any) -> "DispatchJob":
        """Read `encode`'s body; raise `MalformedMessage` for anything else."""
        value = read_envelope(body, "job_id")
        if not isinstance(value, str) or not is_id(value, "job"):
            raise MalformedMessage("job_id is not the id of a job")
        return DispatchJob(value)
