"""What a reader is told, what it tells, and how it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.tables.child_process import ChildFailedError
from shared.tables.readers.json_check import printable

MAX_SAMPLES = 100
_REASON_CHARS = 300


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How far one reading may go; what passes a limit is refused, never cut.

    ``wall_s`` is the life of the child, the pace of whoever takes the batches included.
    ``row_bytes`` bounds one row of csv or json, ``document_bytes`` one text, page or JSON object,
    ``decoded_bytes`` what a file may unfold to, ``expansion`` how many times its own size that
    may be once it is past 256 MB. An archive (zip, docx, xlsx) may unpack to ``archive_bytes``,
    and past 64 MB to ``archive_expansion`` times its own size.
    """

    wall_s: float = 600.0
    memory_bytes: int = 1 << 30
    max_columns: int = 2_000
    row_bytes: int = 16 << 20
    document_bytes: int = 64 << 20
    decoded_bytes: int = 64 << 30
    expansion: int = 1_000
    archive_bytes: int = 2 << 30
    archive_expansion: int = 200
    archive_members: int = 20_000
    pages: int = 20_000
    pixels: int = 100_000_000


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row or document left out.

    ``line`` is the line of a csv or ndjson file, else the number of the row or document; both
    count from 1.
    """

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What a finished reading was; ``samples`` holds the first 100 of the ``unreadable`` rows."""

    format: str
    rows: int
    unreadable: int
    samples: tuple[UnreadableRow, ...]
    charset: str | None
    dialect: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON-ready object."""
        return {
            "format": self.format,
            "rows": self.rows,
            "unreadable": self.unreadable,
            "samples": [{"line": row.line, "reason": row.reason} for row in self.samples],
            "charset": self.charset,
            "dialect": self.dialect,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "ReadReport":
        """Read what `to_json` wrote."""
        samples = tuple(UnreadableRow(row["line"], row["reason"]) for row in value["samples"])
        return ReadReport(**{**value, "samples": samples})


@dataclass(slots=True)
class Tally:
    """Counts what could not be read while a file is read, and keeps the first reasons."""

    unreadable: int = 0
    samples: list[UnreadableRow] = field(default_factory=list)

    def miss(self, line: int, reason: str) -> None:
        """Count one row that is left out."""
        self.unreadable += 1
        if len(self.samples) < MAX_SAMPLES:
            self.samples.append(UnreadableRow(line, printable(reason)[:_REASON_CHARS]))


def unreadable(detail: str, code: str = "unreadable") -> ChildFailedError:
    """Return the error that makes the parent refuse the whole file."""
    return ChildFailedError(code, printable(detail))


def nothing_readable(tally: Tally) -> ChildFailedError:
    """Return the refusal of a file none of whose rows can be read."""
    first = tally.samples[0]
    return unreadable(
        f"none of its {tally.unreadable} rows can be read; the first: "
        f"line {first.line}: {first.reason}"
    )
