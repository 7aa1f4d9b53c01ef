"""Finds dates of birth: a date that a word of birth leads to."""

import re
from collections.abc import Iterator
from datetime import date

from services.worker.capabilities.personal.spans import Span

_MONTHS = (
    "jan(?:uary|uar|vier|\\.)?|feb(?:ruary|ruar|\\.)?|f[ée]vrier|mar(?:ch|s|\\.)?|m[äa]rz|"
    "apr(?:il|\\.)?|avril|may|mai|jun[ei]?\\.?|juin|jul[yi]?\\.?|juillet|aug(?:ust|\\.)?|ao[uû]t|"
    "sep(?:t(?:ember|embre|\\.)?|\\.)?|o[ck]t(?:ober|obre|\\.)?|nov(?:ember|embre|\\.)?|"
    "de[cz](?:ember|\\.)?|d[ée]cembre"
)
_DATE = (
    r"(?:(?P<y>(?:18|19|20)\d\d)(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})"
    r"|(?P<a>\d{1,2})(?P<t>[-/.] ?)(?P<b>\d{1,2})(?P=t)(?P<c>(?:18|19|20)\d\d|\d\d)"
    rf"|\d{{1,2}}(?:st|nd|rd|th|er|\.)?[ -](?:of )?(?:{_MONTHS}),?[ -]'?(?:(?:18|19|20)\d\d|\d\d)"
    rf"|(?:{_MONTHS}) \d{{1,2}}(?:st|nd|rd|th)?,? (?:18|19|20)\d\d)(?![\w]|[-/]\d)"
)
_WORD = (
    r"(?:\b(?:d\.?o\.?b\b\.?|date[ _-]of[ _-]birth|birth[ _-]?dates?|birth[ _-]?days?|b-?day|"
    r"date de naissance|geburtsdatum|geburtstag|geb\.|fecha de nacimiento|data di nascita|"
    r"date_naissance)\W{0,4}(?:(?:is|was|on|ist|est|es|am|le|the|listed as|given as|year|"
    r"\((?:dd|mm|yyyy|[/.-])+\))\W{1,3}){0,3}"
    r"|\bb\. ?"
    r"|\b(?:born|geboren|n[ée]e? le|nacid[oa]|nat[oa] il)\b:?(?:(?!\b(?:deploy|releas|launch|ship|"
    r"order|updat|due|until|sinc))[^\d.;:!?\n]){0,40}?)"
)
_BIRTH = re.compile(rf"{_WORD}(?P<date>{_DATE})", re.IGNORECASE)
_AFTER = re.compile(
    rf"(?<![\w/.-])(?P<date>{_DATE})(?=[ ,]{{1,2}}\(?(?:(?:is|was) (?:my|his|her|their|the) )?"
    r"(?:date of birth|birth ?da(?:y|te)|dob)\b)",
    re.IGNORECASE,
)
_HINT = re.compile(
    r"birth|born|d\.?o\.?b|b-?day|geb|naissance|\bb\.|\bn[ée]e? le|nac|nas?ci|nat[oa] il", re.I
)


def find(text: str) -> Iterator[Span]:
    """Yield the dates of birth of `text`; any other date is left alone."""
    if _HINT.search(text) is None:
        return
    for pattern in (_BIRTH, _AFTER):
        for match in pattern.finditer(text):
            if _is_date(match):
                start, end = match.span("date")
                yield Span(start, end, "date_of_birth", match["date"].lower())


def _is_date(match: re.Match[str]) -> bool:
    """Whether the numbers name a day of the calendar, in one of the usual orders."""
    if match["y"]:
        return _exists(int(match["y"]), int(match["m"]), int(match["d"]))
    if match["a"]:
        year = int(match["c"])
        first, second = int(match["a"]), int(match["b"])
        year = year if year > 99 else 2000  # a leap year: two digits leave the century open
        return _exists(year, second, first) or _exists(year, first, second)
    return True


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
