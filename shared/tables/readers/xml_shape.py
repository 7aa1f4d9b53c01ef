"""What an XML file is made of: which elements repeat, and whether they are rows or running text."""

from collections.abc import Iterator
from pathlib import Path

from shared.tables.readers.xml_events import walk

_MOST_KINDS = 20_000  # of elements, told apart by their path
_DEEPEST_ROWS = 6


class Kind:
    """All elements of one path."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.count = 0
        self.structured = 0  # have attributes or children
        self.mixed = False  # text beside children, as in prose
        self.children: dict[str, Kind] = {}

    def all(self) -> Iterator["Kind"]:
        """Yield this kind and those below it."""
        waiting = [self]
        while waiting:
            kind = waiting.pop()
            yield kind
            waiting += kind.children.values()


class Shape:
    """Listens to a file and counts its elements by path."""

    def __init__(self) -> None:
        self.root = Kind("")
        self.regular = True
        self._kinds = 0
        self._open: list[_Element] = [_Element(self.root)]

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Count an element."""
        parent = self._open[-1]
        kind = parent.kind.children.get(tag)
        if kind is None:
            kind = Kind(tag)
            self._kinds += 1
            if self._kinds <= _MOST_KINDS:
                parent.kind.children[tag] = kind
            else:
                self.regular = False
        kind.count += 1
        if not parent.structured:
            parent.structured = True
            parent.kind.structured += 1
        element = _Element(kind, structured=bool(attributes))
        kind.structured += element.structured
        parent.has_children = True
        self._open.append(element)

    def end(self, _tag: str) -> None:
        """Note whether the element was prose."""
        element = self._open.pop()
        if element.has_text and element.has_children:
            element.kind.mixed = True

    def data(self, text: str) -> None:
        """Note that an element has text."""
        if not text.isspace():
            self._open[-1].has_text = True


class _Element:
    __slots__ = ("has_children", "has_text", "kind", "structured")

    def __init__(self, kind: Kind, *, structured: bool = False) -> None:
        self.kind = kind
        self.structured = structured
        self.has_children = False
        self.has_text = False


def shape_of(path: Path) -> Shape:
    """Go through a file once."""
    shape = Shape()
    walk(path, shape)
    return shape


def row_path(shape: Shape) -> tuple[str, ...] | None:
    """Return the path, from the root's tag on, of the elements that are rows; None for prose.

    These are the outermost elements that repeat and have attributes or children, those of the
    most frequent kind; nowhere in them may text stand beside elements.
    """
    if not shape.regular:
        return None
    level: list[tuple[tuple[str, ...], Kind]] = [
        ((kind.tag,), kind) for kind in shape.root.children.values()
    ]
    for _ in range(_DEEPEST_ROWS):
        below = [
            ((*path, child.tag), child) for path, kind in level for child in kind.children.values()
        ]
        rows = [one for one in below if one[1].count > 1 and one[1].structured * 2 >= one[1].count]
        if rows:
            path, kind = max(rows, key=lambda one: one[1].count)
            return None if any(one.mixed for one in kind.all()) else path
        level = below
    return None
