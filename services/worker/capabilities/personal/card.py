"""Finds payment card numbers: a known issuer, its lengths, usual grouping, Luhn's check."""

import re
from collections.abc import Iterator

from stdnum import luhn

from services.worker.capabilities.personal.spans import Span
from services.worker.capabilities.personal.surroundings import before, named_otherwise

_CARD = re.compile(
    r"(?<![\w.,+-])(?:"
    r"[2-6][0-9]{3}([ -]?)[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}(?:\1[0-9]{3})?"
    r"|3[0-9]{3}([ -]?)[0-9]{6}\2[0-9]{4,5}"
    r"|3[0-9]{3}([ -]?)[0-9]{4}\3[0-9]{4}\3[0-9]{4}"
    r")(?![\w-]|[.,][0-9])"
)
_REST_OF_ACCOUNT = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?: [A-Za-z0-9]{4})* $")
_ISSUERS: tuple[tuple[re.Pattern[str], tuple[int, ...]], ...] = (
    (re.compile("4"), (13, 16, 19)),  # Visa
    (re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),  # Mastercard
    (re.compile("3[47]"), (15,)),  # American Express
    (re.compile("6011|64[4-9]|65"), (16, 19)),  # Discover
    (re.compile("35(?:2[89]|[3-8])"), (16,)),  # JCB
    (re.compile("3(?:0[0-5]|095|[689])"), (14, 16)),  # Diners Club
    (re.compile("62"), (16, 17, 18, 19)),  # UnionPay
    (re.compile("5018|5020|5038|5893|6304|6759|676[1-3]"), (13, 16, 19)),  # Maestro
)


def find(text: str) -> Iterator[Span]:
    """Yield the card numbers of `text`."""
    for match in _CARD.finditer(text):
        digits = re.sub("[ -]", "", match.group())
        grouped = digits != match.group()
        if _REST_OF_ACCOUNT.search(before(text, match.start())):
            continue
        if _is_card(digits) and (grouped or not named_otherwise(text, match.start())):
            yield Span(match.start(), match.end(), "card", digits)


def _is_card(digits: str) -> bool:
    known = any(issuer.match(digits) and len(digits) in sizes for issuer, sizes in _ISSUERS)
    return known and len(set(digits)) > 1 and bool(luhn.is_valid(digits))
