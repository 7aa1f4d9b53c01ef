"""Finds IP addresses of both versions."""

import ipaddress
import re
from collections.abc import Iterator

from services.worker.capabilities.personal.spans import Span
from services.worker.capabilities.personal.surroundings import before

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V4 = re.compile(
    rf"(?<![\w.])(?<![A-Za-z]-)(?:{_OCTET}\.){{3}}{_OCTET}(?:/[0-9]{{1,2}})?(?!\w|-[A-Za-z]|\.[0-9])"
)
_V6 = re.compile(
    r"(?<![\w:.])(?=[0-9a-f]{0,4}:[0-9a-f]{0,4}:)[0-9a-f:]{3,39}"
    r"(?:(?<=:)(?:[0-9]{1,3}\.){3}[0-9]{1,3})?(?!\w|:\w|\.[0-9])",
    re.IGNORECASE,
)
_OF_SOFTWARE = re.compile(
    r"(?:\bv(?:er(?:sions?)?)?\.?|\bversions?|\b(?:release|build|firmware|driver|kernel|section|"
    r"chapter|clause|paragraph|rev(?:ision)?|upgrad(?:e|ed|ing) (?:to|from)|updated? (?:to|from)|"
    r"schema|oid|assembly|bios)|§)(?:[ \t]*(?:number|no\.?|is|was|=|:|to|from))*[ \t]*$",
    re.I,
)


def find(text: str) -> Iterator[Span]:
    """Yield the addresses of `text`; four numbers that are called a version are none."""
    if "." in text:
        yield from _find_v4(text)
    if ":" in text:
        yield from _find_v6(text)


def _find_v4(text: str) -> Iterator[Span]:
    for match in _V4.finditer(text):
        if _OF_SOFTWARE.search(before(text, match.start())) is None:
            yield Span(match.start(), match.end(), "ip", match.group())


def _find_v6(text: str) -> Iterator[Span]:
    for match in _V6.finditer(text):
        written = match.group()
        if written.endswith(":") and not written.endswith("::"):
            written = written[:-1]  # the colon of the sentence
        if _is_v6(written):
            start = match.start()
            yield Span(start, start + len(written), "ip", written.lower())


def _is_v6(written: str) -> bool:
    if written.count(":") < 2 or not any(sign.isdigit() for sign in written):
        return False
    groups = written.split(":")
    if len(groups) == 8 and all(len(group) == 2 for group in groups):
        return False  # eight pairs are a hardware address
    try:
        ipaddress.IPv6Address(written)
    except ValueError:
        return False
    return True
