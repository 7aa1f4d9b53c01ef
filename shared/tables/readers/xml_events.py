"""Goes through an XML file event by event, expanding no entity and loading nothing from outside."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from shared.tables.readers.records import unreadable

_READ_BYTES = 256 << 10
MAX_DEPTH = 200


class Listener(Protocol):
    """Takes the events of a file; names come without their namespace."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the begin of an element."""

    def end(self, tag: str) -> None:
        """Take its end."""

    def data(self, text: str) -> None:
        """Take text, possibly in pieces."""


def walk(path: Path, listener: Listener) -> None:
    """Tell the listener everything in the file, in order; raise a refusal for what is no XML."""
    for _ in walk_slowly(path, listener):
        pass


def walk_slowly(path: Path, listener: Listener) -> Iterator[None]:
    """Do the same as a generator that rests now and then, so that rows can be taken away."""
    # Here, because only XML pays for this import.
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser, ParseError

    parser = DefusedXMLParser(target=_Plain(listener))
    try:
        with path.open("rb") as file:
            while piece := file.read(_READ_BYTES):
                parser.feed(piece)
                yield
        parser.close()
    except DefusedXmlException as error:
        detail = "it declares entities or loads something, which may unfold to anything"
        raise unreadable(detail) from error
    except (ParseError, LookupError, ValueError) as error:
        raise unreadable(f"not well-formed XML: {error}") from error


class _Plain:
    """Takes namespaces off and bounds the depth."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._depth = 0
        self.data = listener.data

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise unreadable(f"nested deeper than {MAX_DEPTH}")
        self._listener.start(
            _local(tag), {_local(name): value for name, value in attributes.items()}
        )

    def end(self, tag: str) -> None:
        self._depth -= 1
        self._listener.end(_local(tag))

    def close(self) -> None:
        """Nothing is held."""


def _local(name: str) -> str:
    return name.rpartition("}")[2]
