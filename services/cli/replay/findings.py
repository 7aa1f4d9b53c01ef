"""What a replay found wrong, and what it looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

MOST = 200  # findings that are told; a bundle that is all wrong needs no list of everything


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference: the member (or ``archive``), and what is not as it says."""

    where: str
    what: str


@dataclass(slots=True)
class Report:
    """Everything a replay has to say; it is sound when nothing was found."""

    job: str = ""
    members: int = 0
    hash: str = ""
    status: str = ""
    stages: list[dict[str, Any]] = field(default_factory=list)
    result_rows: int = 0
    findings: list[Finding] = field(default_factory=list)
    untold: int = 0

    @property
    def sound(self) -> bool:
        """True when nothing differs."""
        return not self.findings

    def add(self, where: str, what: str) -> None:
        """Note a difference."""
        if len(self.findings) < MOST:
            self.findings.append(Finding(where, what))
        else:
            self.untold += 1

    def compare(self, where: str, name: str, said: Any, found: Any) -> None:
        """Note a difference between what the bundle says and what was found."""
        if said != found:
            self.add(where, f"{name}: the record says {said!r}, a recount finds {found!r}")

    @contextmanager
    def reading(self, where: str) -> Iterator[None]:
        """Turn whatever is missing or of a wrong type in a member into a finding."""
        try:
            yield
        except (KeyError, TypeError, ValueError, LookupError, AttributeError) as error:
            self.add(where, f"cannot be read: {type(error).__name__}: {str(error)[:200]}")
