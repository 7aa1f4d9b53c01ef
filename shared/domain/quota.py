"""What a project may take of the service: one number for each kind, 0 for no limit. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Quotas:
    """The limits that hold for one project; 0 is no limit."""

    requests_per_minute: int = 0  # of all its keys together
    concurrent_jobs: int = 0  # that are not final
    open_streams: int = 0  # event streams
    stored_bytes: int = 0  # of all its tables, as stored
    rows_per_job: int = 0  # of all inputs of a job
    spend_microusd_per_day: int = 0  # from midnight to midnight UTC

    def with_own(self, own: Mapping[str, int]) -> "Quotas":
        """Return these defaults with what a project has of its own; unknown names are left out."""
        return replace(self, **{name: own[name] for name in NAMES if name in own})

    def to_json(self) -> dict[str, int]:
        """Return the limits by name."""
        return asdict(self)


NAMES: tuple[str, ...] = tuple(item.name for item in fields(Quotas))


def is_over(count: int, limit: int) -> bool:
    """Return True when so many are more than the limit allows."""
    return bool(limit) and count > limit
