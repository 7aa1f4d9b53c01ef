"""One thing that is wrong with a document: where, which kind, and what to do."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, in one sentence for a person and one code for a program.

    `code` is stable; `pointer` is an RFC 6901 JSON Pointer into the document; `detail` says what
    to do.
    """

    code: str
    severity: Severity
    pointer: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """Return ``{"code", "severity", "pointer", "detail"}``."""
        return {
            "code": self.code,
            "severity": self.severity,
            "pointer": self.pointer,
            "detail": self.detail,
        }


def error(code: str, pointer: str, detail: str) -> Finding:
    """Return a finding that refuses the document."""
    return Finding(code, "error", pointer, detail)


def warning(code: str, pointer: str, detail: str) -> Finding:
    """Return a finding that lets the document pass."""
    return Finding(code, "warning", pointer, detail)


def json_pointer(*parts: str | int) -> str:
    """Return the JSON Pointer of a path; ``json_pointer("tables", "a/b")`` is ``/tables/a~1b``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
