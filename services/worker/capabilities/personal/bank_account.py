"""Finds IBANs: a country, its length, check digits modulo 97."""

import re
from collections.abc import Iterator

from stdnum import iban

from services.worker.capabilities.personal.spans import Span

_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ \u00a0-]?[A-Za-z0-9]{3,4})")
_GAPS = " \u00a0-"
_SHORTEST, _LONGEST = 15, 34


def find(text: str) -> Iterator[Span]:
    """Yield the account numbers of `text`, written in one piece or in groups, in either case."""
    for match in _START.finditer(text):
        end = _end_of_account(text, match.start())
        if end is not None:
            written = text[match.start() : end]
            yield Span(match.start(), end, "iban", iban.compact(_without_gaps(written)))


def _end_of_account(text: str, start: int) -> int | None:
    """Return where the account number that begins at `start` ends, or None when none does."""
    signs = 0
    gap = True
    for at in range(start, min(len(text), start + 2 * _LONGEST)):
        sign = text[at]
        if sign in _GAPS and not gap:
            gap = True
            continue
        if not (sign.isascii() and sign.isalnum()):
            return None
        gap = False
        signs += 1
        ends_here = at + 1 == len(text) or not text[at + 1].isalnum()
        if signs >= _SHORTEST and ends_here and _is_account(text[start : at + 1]):
            return at + 1
        if signs == _LONGEST:
            return None
    return None


def _is_account(written: str) -> bool:
    return bool(iban.is_valid(_without_gaps(written), check_country=False))


def _without_gaps(written: str) -> str:
    return re.sub("[ \u00a0-]", "", written).upper()
