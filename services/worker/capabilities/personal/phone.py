"""Finds phone numbers: international ones of all countries, national ones of given regions."""

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType

from services.worker.capabilities.personal.spans import Span
from services.worker.capabilities.personal.surroundings import before, named_otherwise

_GAP = r"[ \u00a0\u202f.\-/\u2010-\u2015]"
_MOST_DIGITS = 15  # E.164; a national number has fewer
_MOST_TRIES = 5  # groups of digits to drop from the end of a candidate
_CANDIDATE = re.compile(
    rf"(?<![\w.,/-])(?:(?<!\d )|(?=[+(]))(?:[(]?\+{_GAP}?)?[(]?"
    rf"\d(?:[()]?{_GAP}{{0,3}}[()]?\d){{6,16}}(?:(?=x\d)|(?!\w|[.,-]\d))"
)
_LAST_GROUP = re.compile(rf"[(]?{_GAP}+[()]?\d+$")
_EXTENSION = re.compile(
    r"[ ,]{0,2}(?:;?ext[.=:]?|extension|x|#|Durchwahl|poste)[ .:]?\d{1,6}\b", re.I
)
_DATE = re.compile(
    r"[(]?(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d|(?:19|20)\d\d[./-]?[01]\d[./-]?[0-3]\d(?!\d{2}\b))"
)
_PRICE_BEFORE = re.compile(r"(?:[$€£¥]|\b(?:usd|eur|gbp|chf))[ \u00a0]?$", re.I)
_UNIT_AFTER = re.compile(
    r"[ \u00a0]?(?:[$€£¥%°]|(?:usd|eur|gbp|chf|euros?|dollars?|kg|km|cm|mm|ms|mb|gb|kb|bytes|units|"
    r"pieces|pcs|rows|items)\b)|:\d",
    re.I,
)
_CALLED_IDENTITY = re.compile(
    r"\b(?:nhs|bsn|ssn|sin|aadhaar|cpr|cpf|pesel|iban|vat|tax|passport|id)\b[^\d\n]{0,16}$", re.I
)
_CALLED_PHONE = re.compile(
    r"\b(?:tele?phone|phone|tel|mobile|mob|cell|call|text|sms|whatsapp|signal|fax|hotline|dial|"
    r"ring|reach (?:me|us|him|her|them)|contact|landline|handy|telefon|mobil|festnetz|anruf(?:en)?|"
    r"t[ée]l[ée]phone|t[ée]l|portable|appele[rz])\b[^\d\n]{0,20}$",
    re.I,
)


def find(text: str, regions: tuple[str, ...]) -> Iterator[Span]:
    """Yield the phone numbers of `text`; see docs/capabilities.md for what counts as one."""
    for match in _CANDIDATE.finditer(text):
        end = _end_of_number(text, match.start(), match.end(), regions)
        if end is None:
            continue
        extension = _EXTENSION.match(text, end)
        end = end if extension is None else extension.end()
        start = match.start()
        if text[start] == "(" and ")" not in text[start:end]:
            start += 1  # the bracket of the sentence
        yield Span(start, end, "phone", re.sub(r"[^\d+]", "", text[start:end]))


def _end_of_number(text: str, start: int, end: int, regions: tuple[str, ...]) -> int | None:
    """Return where the number ends; a candidate may have swallowed a number that follows it."""
    written = text[start:end]
    sure = _international(written)
    if "+" not in written and not _may_be_national(text, start, end, written):
        return None
    called = _CALLED_PHONE.search(before(text, start)) is not None
    for _ in range(_MOST_TRIES):
        if _is_phone(written, regions, called=called, international=sure):
            return start + len(written)
        last = _LAST_GROUP.search(written)
        if last is None:
            return None
        written = written[: last.start()]
    return None


def _international(written: str) -> bool:
    return written.lstrip("(").startswith(("+", "00"))


def _may_be_national(text: str, start: int, end: int, written: str) -> bool:
    if _DATE.match(written) or _UNIT_AFTER.match(text, end):
        return False
    words = before(text, start)
    if _PRICE_BEFORE.search(words) or _CALLED_IDENTITY.search(words):
        return False
    return not named_otherwise(text, start)


def _is_phone(written: str, regions: tuple[str, ...], *, called: bool, international: bool) -> bool:
    if sum(sign.isdigit() for sign in written) > _MOST_DIGITS:
        return False
    if international:
        number = _parsed(re.sub(r"^[(]?00", "+", written), None)
        return number is not None and bool(phonenumbers.is_valid_number(number))
    return any(_is_national(written, region, called) for region in regions)


def _is_national(written: str, region: str, called: bool) -> bool:
    number = _parsed(written, region)
    if number is None or not phonenumbers.is_valid_number(number):
        return False
    return called or _grouped_as_usual(written, number)


def _grouped_as_usual(written: str, number: PhoneNumber) -> bool:
    """Whether the groups are those of a phone number: that is all that tells it from another."""
    groups = re.findall(r"\d+", written)
    mobile = phonenumbers.number_type(number) == PhoneNumberType.MOBILE
    if len(groups) < 2:
        return mobile and written.startswith("0")
    usual = re.findall(r"\d+", phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
    if groups in (usual, [str(number.country_code), *usual]):
        return True
    if not groups[0].startswith("0"):
        return False
    return len(groups[0]) >= 3 if mobile else bool(groups[0] == usual[0])


@lru_cache(maxsize=2048)
def _parsed(written: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(written, region)
    except NumberParseException:
        return None
