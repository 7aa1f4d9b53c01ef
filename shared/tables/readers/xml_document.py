"""The text of an XML file that is running text and no table."""

import re
from pathlib import Path

from shared.tables.readers.records import ReadLimits, unreadable
from shared.tables.readers.xml_events import walk
from shared.tables.readers.xml_shape import Kind, Shape, shape_of

_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r" ?\n\s*")
_TITLE_DEPTH = 4


def xml_text(path: Path, limits: ReadLimits) -> tuple[str | None, str]:
    """Return the first title and all text, a line for each element that stands in no sentence."""
    if not path.stat().st_size:
        raise unreadable("the file is empty")
    return text_of(path, shape_of(path), limits)


def text_of(path: Path, shape: Shape, limits: ReadLimits) -> tuple[str | None, str]:
    """Do the same for a file whose shape is known."""
    if path.stat().st_size > limits.document_bytes:
        raise unreadable(f"a document of more than {limits.document_bytes} bytes")
    prose = _Prose(shape.root)
    walk(path, prose)
    return prose.title, prose.text()


class _Prose:
    """Listens to a file and writes down its text."""

    def __init__(self, root: Kind) -> None:
        self.title: str | None = None
        self._open: list[Kind | None] = [root]
        self._pieces: list[str] = []
        self._title_from: int | None = None

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        kind = self._open[-1]
        self._open.append(kind.children.get(tag) if kind is not None else None)
        if tag.lower() == "title" and self.title is None and len(self._open) <= _TITLE_DEPTH:
            self._title_from = len(self._pieces)

    def end(self, tag: str) -> None:
        self._open.pop()
        if self._title_from is not None and tag.lower() == "title":
            self.title = " ".join("".join(self._pieces[self._title_from :]).split()) or None
            self._title_from = None
        around = self._open[-1]
        if around is None or not around.mixed:
            self._pieces.append("\n")

    def data(self, text: str) -> None:
        self._pieces.append(text)

    def text(self) -> str:
        """Return all text with single blanks and without empty lines."""
        return _LINES.sub("\n", _SPACES.sub(" ", "".join(self._pieces))).strip()
