"""Stops a job that cannot come to anything: counts of this process, by job."""

import threading
from dataclasses import dataclass, field
from typing import Any

from services.worker.settle_unit import UnitEnd
from shared.domain.model_call import OF_THE_BODY
from shared.llm.breaker import FIRST_UNITS, job_breaker_trips
from shared.llm.missing_context import MISSING as MISSING_CONTEXT


@dataclass(slots=True)
class _Counts:
    succeeded: int = 0
    permanent: int = 0
    turned_away: int = 0
    first_codes: list[str] = field(default_factory=list)


class JobBreakers:
    """Says when a job has to pause: ten permanent answers, or units that all fail alike."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Counts] = {}
        self._lock = threading.Lock()

    def note(self, job_id: str, end: UnitEnd) -> dict[str, Any] | None:
        """Take the end of an attempt into account; return the reason for a pause, if there is one.

        Once told, counting begins anew: after a resume the job gets the same chance again.
        """
        with self._lock:
            counts = self._jobs.setdefault(job_id, _Counts())
            _count(counts, end)
            if not job_breaker_trips(
                succeeded=counts.succeeded,
                permanent=counts.permanent,
                first_codes=counts.first_codes,
                turned_away=counts.turned_away,
            ):
                return None
            del self._jobs[job_id]
        code = "permanent" if counts.permanent else counts.first_codes[0]
        detail = next((tried.detail for tried in end.attempts if tried.detail), None)
        return {"kind": "breaker", "code": code, "detail": detail}


def _count(counts: _Counts, end: UnitEnd) -> None:
    permanent = [tried for tried in end.attempts if tried.code == "permanent"]
    counts.permanent += len(permanent)
    counts.turned_away += sum(not tried.burned for tried in permanent)
    for settled in end.outcomes[:1]:
        if settled.outcome == "succeeded":
            counts.succeeded += 1
            counts.turned_away = 0
        # a wish for other rows is for the next round to grant, no reason to stop this one; and
        # who sent ready bodies wants to know of each what is wrong with it
        told = settled.code != MISSING_CONTEXT and settled.code not in OF_THE_BODY
        if len(counts.first_codes) < FIRST_UNITS and told:
            counts.first_codes.append(settled.code or settled.outcome)
