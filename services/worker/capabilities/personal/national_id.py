"""Finds national identity numbers: their form, their checksum, in doubt also their name."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.in_ import aadhaar
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.se import personnummer
from stdnum.us import ssn

from services.worker.capabilities.personal.spans import Span
from services.worker.capabilities.personal.surroundings import before, named_otherwise


@dataclass(frozen=True, slots=True)
class _Form:
    """How one country writes a number; `name` is what must stand before it when form is weak."""

    pattern: re.Pattern[str]
    is_valid: Callable[[str], bool]
    name: re.Pattern[str] | None = None


def _form(pattern: str, is_valid: Callable[[str], bool], name: str | None = None) -> _Form:
    # The name leads to the number over a few words without digits.
    told = None if name is None else re.compile(rf"\b(?:{name})\b[^\d\n]{{0,24}}$", re.IGNORECASE)
    return _Form(re.compile(rf"(?<![\w.,/-])(?:{pattern})(?![\w/-]|[.,]\d)", re.I), is_valid, told)


_NINO = re.compile(
    r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]", re.I
)

_WITH_DIGITS: tuple[_Form, ...] = (
    _form(r"[0-9]{3}-[0-9]{2}-[0-9]{4}", ssn.is_valid),
    _form(r"[0-9]{3} ?[0-9]{2} ?[0-9]{4}", ssn.is_valid, "ssn|social security"),
    _form(r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", nir.is_valid),
    _form(r"[0-9]{11}", pesel.is_valid),
    _form(r"(?:[0-9]{2})?[0-9]{6}[-+][0-9]{4}", personnummer.is_valid),
    _form(r"[0-9]{10}", personnummer.is_valid, "person(?:al )?(?:nummer|number|nr)|personnummer"),
    _form(r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]", hetu.is_valid),
    _form(r"[0-9]{2}[. ]?[0-9]{2}[. ]?[0-9]{2}[- ]?[0-9]{3}[. ]?[0-9]{2}", nn.is_valid),
    _form(r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", cpf.is_valid),
    _form(r"[0-9]{11}", cpf.is_valid, "cpf"),
    _form(r"756([. ]?)[0-9]{4}\1[0-9]{4}\1[0-9]{2}", ahv.is_valid),
    _form(r"[0-9]{6} ?[0-9]{5}", fodselsnummer.is_valid),
    _form(r"[0-9]{8}-?[A-Z]", dni.is_valid),
    _form(
        r"[0-9]{9}|[0-9]{4}\.[0-9]{2}\.[0-9]{3}|[0-9]{3}[. ][0-9]{3}[. ][0-9]{3}",
        bsn.is_valid,
        "bsn|burgerservicenummer|sofi(?:nummer)?",
    ),
    _form(r"[0-9]{3}([ -]?)[0-9]{3}\1[0-9]{3}", sin.is_valid, "sin|nas|social insurance"),
    _form(r"[0-9]{4}([ -]?)[0-9]{4}\1[0-9]{4}", aadhaar.is_valid, "aadha+r|uidai"),
    _form(r"[0-9]{3}([ -]?)[0-9]{3}\1[0-9]{4}", nhs.is_valid, "nhs"),
    _form(r"[0-9]{6}-?[0-9]{4}", cpr.is_valid, "cpr(?:-nummer)?"),
)
_WITH_LETTERS: tuple[_Form, ...] = (
    _form(r"[XYZ]-?[0-9]{7}-?[A-Z]", nie.is_valid),
    _form(
        r"[A-Z]{6}[0-9L-V]{2}[A-EHLMPR-T][0-9L-V]{2}[A-Z][0-9L-V]{3}[A-Z]", codicefiscale.is_valid
    ),
    _form(
        r"[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]",
        lambda written: _NINO.fullmatch(written.replace(" ", "")) is not None,
    ),
)
_MANY_DIGITS = re.compile(r"[0-9](?:[ .-]?[0-9]){5}")
_LETTERS = re.compile(
    r"[A-Za-z]{6}[0-9L-Vl-v]{2}[A-Za-z]|[XYZxyz]-?[0-9]{7}|[A-Za-z]{2} ?[0-9]{2} ?[0-9]{2}"
)


def find(text: str) -> Iterator[Span]:
    """Yield the identity numbers of `text`."""
    if _MANY_DIGITS.search(text):
        yield from _find(text, _WITH_DIGITS)
    if _LETTERS.search(text):
        yield from _find(text, _WITH_LETTERS)


def _find(text: str, forms: tuple[_Form, ...]) -> Iterator[Span]:
    for form in forms:
        for match in form.pattern.finditer(text):
            if not form.is_valid(match.group()) or named_otherwise(text, match.start()):
                continue
            if form.name is None or form.name.search(before(text, match.start())):
                value = re.sub(r"[ .-]", "", match.group()).upper()
                yield Span(match.start(), match.end(), "national_id", value)
