"""Labelled text for the quality of `redact`: true values by valid check digits, hard negatives.

Everything is drawn from a seeded generator. Phone numbers come from the examples of the
`phonenumbers` package, check digits from `stdnum`; nothing here imports the code under test.
"""

import base64
import ipaddress
import random
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from stdnum import iban, luhn
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

NEGATIVES_PER_TRUE = 3
NATIONAL_REGIONS = ("US", "GB", "DE", "FR")


@dataclass(frozen=True, slots=True)
class Sample:
    """One text. `kind` is the class it tests; `value` the personal data in it, None for none."""

    text: str
    kind: str
    value: str | None


_CARRIERS = (
    "{}",
    "Please note {} for the file.",
    "We have {} here",
    "He wrote: {}.",
    "As said before ({}), thanks.",
    'The letter says "{}" on top.',
    "see {}, then close",
    "{} - is that right?",
    "Customer says {}\nand hangs up.\nRegards",
    "Hello team, the account of the person who came in on Monday shows {} and nothing else. "
    "Can you look at it, please?",
    "Größe passt nicht. {} 🙂",
)

Draw = Callable[[random.Random], str]


def samples(seed: int, per_class: int) -> Iterator[Sample]:
    """Yield `per_class` true samples of each class and three hard negatives for each of them."""
    for kind, (true, false) in _KINDS.items():
        draw = random.Random(f"{seed}/{kind}")
        for _ in range(per_class):
            value = true(draw)
            # "lead|value" where the value needs words in front of it to be what it is
            lead, _, bare = value.rpartition("|")
            yield Sample(_carried(draw, lead + bare), kind, bare)
            for _ in range(NEGATIVES_PER_TRUE):
                yield Sample(_carried(draw, draw.choice(false)(draw)), kind, None)


def _carried(draw: random.Random, content: str) -> str:
    return draw.choice(_CARRIERS).replace("{}", content)


def _digits(draw: random.Random, count: int) -> str:
    return "".join(draw.choices(string.digits, k=count))


def _letters(draw: random.Random, count: int, alphabet: str = string.ascii_uppercase) -> str:
    return "".join(draw.choices(alphabet, k=count))


def _until(draw: random.Random, make: Draw, accept: Callable[[str], bool]) -> str:
    while True:
        value = make(draw)
        if accept(value):
            return value


def _date(draw: random.Random) -> tuple[int, int, int]:
    return draw.randint(1930, 2005), draw.randint(1, 12), draw.randint(1, 28)


_WORDS = ("river", "stone", "apple", "quiet", "amber", "north", "metal", "garden", "paper",
          "silver", "window", "candle")  # fmt: skip
_ALNUM = string.ascii_letters + string.digits


def _order_number(draw: random.Random) -> str:
    return draw.choice(
        [
            f"order {_digits(draw, 10)}",
            f"Order #{_digits(draw, 8)}",
            f"order no. {_digits(draw, 11)}",
            f"invoice 2024-{_digits(draw, 6)}",
            f"invoice number: {_digits(draw, 9)}",
            f"ticket {_digits(draw, 12)}",
            f"tracking number {_digits(draw, 12)}",
            f"ORD-{_digits(draw, 4)}-{_digits(draw, 6)}",
            f"PO {_digits(draw, 10)}",
            f"Bestellnummer {_digits(draw, 10)}",
        ]
    )


def _timestamp(draw: random.Random) -> str:
    y, m, d = draw.randint(2015, 2026), draw.randint(1, 12), draw.randint(1, 28)
    h, mi, s = draw.randint(0, 23), draw.randint(0, 59), draw.randint(0, 59)
    return draw.choice(
        [
            f"{y}-{m:02}-{d:02} {h:02}:{mi:02}:{s:02}",
            f"{y}-{m:02}-{d:02}T{h:02}:{mi:02}:{s:02}Z",
            f"{y}{m:02}{d:02}{h:02}{mi:02}{s:02}",
            f"{d:02}.{m:02}.{y} {h:02}:{mi:02}",
            f"{d:02}/{m:02}/{y} {h:02}:{mi:02}",
            f"{m}/{d}/{y}, {h}:{mi:02}",
            f"{1_500_000_000 + draw.randrange(300_000_000)}",
        ]
    )


def _price(draw: random.Random) -> str:
    return draw.choice(
        [
            f"${draw.randint(1, 9)},{_digits(draw, 3)},{_digits(draw, 3)}.{_digits(draw, 2)}",
            f"{draw.randint(1, 9)} {_digits(draw, 3)} {_digits(draw, 3)} EUR",
            f"EUR {draw.randint(1, 9)}.{_digits(draw, 3)}.{_digits(draw, 3)},{_digits(draw, 2)}",
            f"£{_digits(draw, 5)}.{_digits(draw, 2)}",
            f"{draw.randint(200, 999)} {_digits(draw, 3)} {_digits(draw, 4)} USD",
        ]
    )


def _part_number(draw: random.Random) -> str:
    return draw.choice(
        [
            f"part {_digits(draw, 4)}-{_digits(draw, 4)}-{_digits(draw, 2)}",
            f"{_digits(draw, 3)}-{_digits(draw, 4)}-{_digits(draw, 4)}-{_letters(draw, 1)}",
            f"{_letters(draw, 2)}{_digits(draw, 3)}-{_digits(draw, 5)}",
            f"SKU {_digits(draw, 3)}-{_digits(draw, 3)}-{_digits(draw, 4)}",
            f"{_letters(draw, 3)}-{_digits(draw, 7)}",
            f"model {_digits(draw, 5)}.{_digits(draw, 3)}",
            f"{_digits(draw, 4)}-{_digits(draw, 3)}-{_digits(draw, 2)}",
            f"serial {_letters(draw, 2)}{_digits(draw, 9)}",
        ]
    )


def _isbn(draw: random.Random) -> str:
    body = "978" + _digits(draw, 9)
    total = sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(body))
    number = body + str(-total % 10)
    parts = (number[:3], number[3], number[4:7], number[7:12], number[12])
    return draw.choice([f"ISBN {number}", "-".join(parts), "ISBN " + "-".join(parts)])


def _version(draw: random.Random) -> str:
    four = ".".join(str(draw.randint(0, 30)) for _ in range(4))
    return draw.choice(
        [
            f"version {four}",
            f"v{four}",
            f"Version: {four}",
            f"firmware {four}",
            f"build {four}",
            f"upgraded to {four}",
            f"10.0.{draw.randint(18000, 29000)}.{draw.randint(300, 3000)}",
            f"{draw.randint(1, 9)}.{draw.randint(0, 30)}.{draw.randint(0, 30)}",
            f"release {four}",
        ]
    )


# --- e-mail ---


def _email(draw: random.Random) -> str:
    local = draw.choice(
        [
            f"{draw.choice(_WORDS)}.{draw.choice(_WORDS)}",
            f"{draw.choice(_WORDS)}{_digits(draw, 3)}",
            f"{draw.choice(_WORDS)}+{draw.choice(_WORDS)}",
            f"{draw.choice(_WORDS)[0]}_{draw.choice(_WORDS)}",
            f"{draw.choice(_WORDS).title()}-{draw.choice(_WORDS).title()}",
            f"o'{draw.choice(_WORDS)}",
            f"{_digits(draw, 6)}",
            f"jürgen.{draw.choice(_WORDS)}",
            f"{draw.choice(_WORDS)[0]}",
        ]
    )
    domain = draw.choice(
        [
            "example.com",
            "mail.example.co.uk",
            "EXAMPLE.ORG",
            "münchen.example",
            "xn--mnchen-3ya.example",
            "a-b.example.photography",
            "1und1.example.de",
            "x.io",
            "students.dept.example.edu",
        ]
    )
    return f"{local}@{domain}"


def _no_email(draw: random.Random) -> str:
    word, other = draw.choice(_WORDS), draw.choice(_WORDS)
    return draw.choice(
        [
            f"@{word}_{other}",
            f"{word}@localhost",
            f"{word}@2x.png",
            f"{word}@{draw.randint(1, 20)}.{draw.randint(0, 20)}.{draw.randint(0, 20)}",
            f"git@example.com:{word}/{other}.git",
            f"{word} @ example.com",
            f"{draw.randint(2, 9)} units @ 12.50",
            f"{word}@{other}",
            f"@types/{word}@{draw.randint(1, 20)}.1.0",
            f"{word}@",
            "@example.com",
            f"{word}@.com",
            f"{word}@example..com",
            f"@{word}.decorator",
            f"{word}_at_example.com",
        ]
    )


# --- phone ---

_TYPES = (
    PhoneNumberType.FIXED_LINE,
    PhoneNumberType.MOBILE,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.VOIP,
    PhoneNumberType.SHARED_COST,
)
_EXAMPLES = {
    region: [
        number
        for kind in _TYPES
        if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    ]
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
}
_ALL_EXAMPLES = [number for numbers in _EXAMPLES.values() for number in numbers]


def _neighbour(draw: random.Random, number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
    """Return a valid number like the example, with other last digits."""
    for _ in range(20):
        other = phonenumbers.PhoneNumber()
        other.merge_from(number)
        other.national_number = number.national_number // 1000 * 1000 + draw.randrange(1000)
        if phonenumbers.is_valid_number(other):
            return other
    return number


def _phone(draw: random.Random) -> str:
    if draw.random() < 0.4:
        number = _neighbour(draw, draw.choice(_EXAMPLES[draw.choice(NATIONAL_REGIONS)]))
        return _as_people_write(
            draw, str(phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL))
        )
    number = _neighbour(draw, draw.choice(_ALL_EXAMPLES))
    written = draw.choice(
        [PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164, PhoneNumberFormat.RFC3966]
    )
    text = str(phonenumbers.format_number(number, written))
    return text.replace("tel:", "tel:|") if text.startswith("tel:") else text


def _as_people_write(draw: random.Random, national: str) -> str:
    """Return a national number with the separators of the library, or with other usual ones."""
    gap = draw.choice([None, None, "-", ".", "/"])
    if gap is None:
        return national
    if gap == "/":
        return national.replace(" ", "/", 1)  # the German way
    return national.replace("(", "").replace(")", "").replace(" ", gap)


def _bad_phone(draw: random.Random) -> str:
    """An international number with too few digits, or of a country that does not exist."""
    if draw.random() < 0.5:
        code = draw.choice(["999", "210", "259", "699"])
        return f"+{code} {_digits(draw, 3)} {_digits(draw, 4)}"

    def cut(_: random.Random) -> str:
        number = phonenumbers.format_number(
            draw.choice(_ALL_EXAMPLES), PhoneNumberFormat.INTERNATIONAL
        )
        return str(number)[: -draw.randint(3, 5)].rstrip(" -")

    return _until(draw, cut, lambda one: not _is_phone(one))


def _is_phone(written: str) -> bool:
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(written, None)))
    except phonenumbers.NumberParseException:
        return False


def _no_phone(draw: random.Random) -> str:
    return draw.choice(
        [
            f"{draw.uniform(-90, 90):.6f}, {draw.uniform(-180, 180):.6f}",
            f"{draw.randint(1200, 1900)}-{draw.randint(1900, 2000)}-{draw.randint(2000, 2100)}",
            f"2019-2020, 2021-2022 and {draw.randint(2000, 2030)}",
            f"{draw.randint(100, 999)} {draw.randint(100, 999)} {draw.randint(1000, 9999)} rows",
            f"reference 0{_digits(draw, 3)} {_digits(draw, 6)}",
            f"booking 0{_digits(draw, 9)}",
            f"customer since 2019, {_digits(draw, 10)} points",
            f"{_digits(draw, 13)}",
            f"case 0{_digits(draw, 2)}-{_digits(draw, 7)}",
            f"{_digits(draw, 10)}",
            f"1-2-3-4-5-6-7-{draw.randint(8, 9)}",
        ]
    )


# --- addresses of machines and pages ---


def _ip(draw: random.Random) -> str:
    if draw.random() < 0.6:
        address = str(ipaddress.IPv4Address(draw.getrandbits(32)))
        private = f"192.168.{draw.randint(0, 255)}.{draw.randint(0, 255)}"
        return draw.choice([address, private, f"10.0.{draw.randint(0, 9)}.{draw.randint(0, 255)}"])
    bits = draw.getrandbits(128)
    if draw.random() < 0.5:
        bits &= ~(((1 << 64) - 1) << 16)  # a run of zeros in the middle
    six = ipaddress.IPv6Address(bits)
    return draw.choice(
        [str(six), six.exploded, str(six).upper(), f"2001:db8::{draw.randint(1, 99)}"]
    )


def _no_ip(draw: random.Random) -> str:
    pairs = [f"{draw.randrange(256):02x}" for _ in range(8)]
    return draw.choice(
        [
            f"section {draw.randint(1, 9)}.{draw.randint(1, 9)}.{draw.randint(1, 9)}.1",
            f"{draw.randint(256, 999)}.{draw.randint(0, 255)}.{draw.randint(0, 255)}.1",
            f"1.2.3.{draw.randint(256, 999)}",
            ".".join(str(draw.randint(0, 99)) for _ in range(5)),
            ".".join(str(draw.randint(0, 99)) for _ in range(3)),
            f"1.3.6.1.4.1.{draw.randint(1, 9999)}",
            ":".join(pairs[:6]),
            ":".join(pairs),
            f"{draw.randint(0, 23):02}:{draw.randint(0, 59):02}:{draw.randint(0, 59):02}",
            f"std::{draw.choice(_WORDS)}",
            f"{draw.randint(1, 9)}:{draw.randint(1, 9)}:{draw.randint(1, 9)}",
            f"ab::cd::{draw.choice(_WORDS)}",
            f"dead:beef:{draw.randint(1, 9)}",
        ]
    )


def _url(draw: random.Random) -> str:
    host = draw.choice(
        ["example.com", "www.example.co.uk", "localhost:8080", "münchen.example", "10.1.2.3:9000"]
    )
    path = draw.choice(
        [
            "",
            "/",
            f"/{draw.choice(_WORDS)}/{draw.choice(_WORDS)}.html",
            f"/a?q={draw.choice(_WORDS)}&n={draw.randint(1, 99)}",
            f"/w/{draw.choice(_WORDS)}_(x)",
            f"/#/{draw.choice(_WORDS)}",
            f"/u/{_digits(draw, 10)}",
            f"/p?mail=a%40b.com&t={_letters(draw, 8)}",
        ]
    )
    scheme = draw.choice(["https://", "http://", "HTTPS://", "ftp://", "wss://"])
    return draw.choice([f"{scheme}{host}{path}", f"{scheme}{host}{path}", f"www.example.org{path}"])


def _no_url(draw: random.Random) -> str:
    word, other = draw.choice(_WORDS), draw.choice(_WORDS)
    return draw.choice(
        [
            "http:// is the prefix",
            f"{word}/{other}",
            "node.js",
            f"C:\\{word}\\{other}.txt",
            f"{word}.{other}()",
            "https is required",
            "://",
            "www",
            "www. something",
            f"/{word}/{other}/index.html",
            f"{word}://",
            "http:/broken",
            f"{word}.html",
            "TCP/IP",
            f"s3 bucket {word}",
            f"std::{word}",
            f"https://?{word}",
        ]
    )


# --- numbers with check digits ---

_ISSUERS = (
    ("4", 16), ("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15),
    ("37", 15), ("6011", 16), ("65", 16), ("3530", 16), ("36", 14), ("62", 16), ("4", 13),
)  # fmt: skip


def _card_digits(draw: random.Random) -> str:
    prefix, length = draw.choice(_ISSUERS)
    body = prefix + _digits(draw, length - len(prefix) - 1)
    return body + str(luhn.calc_check_digit(body))


def _grouped_card(draw: random.Random, digits: str) -> str:
    gap = draw.choice(["", "", " ", "-"])
    sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(digits), (4, 4, 4, 4))
    parts, rest = [], digits
    for size in sizes:
        parts.append(rest[:size])
        rest = rest[size:]
    return gap.join(part for part in parts if part)


def _card(draw: random.Random) -> str:
    return _grouped_card(draw, _card_digits(draw))


def _spoiled(draw: random.Random, digits: str) -> str:
    """Change one digit, so that a check digit no longer fits."""
    at = draw.randrange(4, len(digits))
    return digits[:at] + str((int(digits[at]) + draw.randint(1, 9)) % 10) + digits[at + 1 :]


def _no_card(draw: random.Random) -> str:
    foreign = draw.choice("189") + _digits(draw, 14)
    imei = "35" + _digits(draw, 12)
    return draw.choice(
        [
            _grouped_card(draw, _spoiled(draw, _card_digits(draw))),
            _grouped_card(draw, _spoiled(draw, _card_digits(draw))),
            _grouped_card(draw, foreign + str(luhn.calc_check_digit(foreign))),
            imei + str(luhn.calc_check_digit(imei)),
            f"tracking {_digits(draw, 16)}",
            f"order number {_digits(draw, 16)}",
            f"0.{_card_digits(draw)}",
            f"17{_digits(draw, 14)}",
            _digits(draw, 20),
            "-".join(_digits(draw, 4) for _ in range(3)),
            f"{_letters(draw, 2)}{_card_digits(draw)}",
        ]
    )


_ACCOUNTS = {
    "DE": "n18", "GB": "a4n14", "FR": "n10c11n2", "NL": "a4n10", "ES": "n20", "IT": "a1n10c12",
    "PL": "n24", "SE": "n20", "CH": "n5c12", "AT": "n16", "BE": "n12", "NO": "n11", "FI": "n14",
    "DK": "n14", "PT": "n21", "MT": "a4n5c18", "SA": "n2c18", "IE": "a4n14", "LU": "n3c13",
    "CZ": "n20",
}  # fmt: skip


def _account(draw: random.Random) -> str:
    country = draw.choice(list(_ACCOUNTS))
    kinds = {"n": string.digits, "a": string.ascii_uppercase, "c": string.ascii_uppercase + "0123"}
    body, form = "", _ACCOUNTS[country]
    while form:
        size = form[1:3] if form[1:3].isdigit() else form[1]
        body += _letters(draw, int(size), kinds[form[0]])
        form = form[1 + len(size) :]
    return country + iban.calc_check_digits(country + "00" + body) + body


def _grouped_account(draw: random.Random, account: str) -> str:
    grouped = " ".join(account[at : at + 4] for at in range(0, len(account), 4))
    return draw.choice([account, grouped, grouped, account.lower()])


def _iban(draw: random.Random) -> str:
    account = _until(draw, _account, lambda one: bool(iban.is_valid(one, check_country=False)))
    return _grouped_account(draw, account)


def _no_iban(draw: random.Random) -> str:
    def spoiled(_: random.Random) -> str:
        account = _account(draw)
        return account[:2] + f"{(int(account[2:4]) + draw.randint(1, 95)) % 97:02}" + account[4:]

    near = _until(draw, spoiled, lambda one: not iban.is_valid(one, check_country=False))
    return draw.choice(
        [
            _grouped_account(draw, near),
            _grouped_account(draw, near),
            f"DE{_digits(draw, 9)}",
            "-".join(_letters(draw, 4, string.ascii_uppercase + string.digits) for _ in range(5)),
            f"XX{_digits(draw, 20)}",
            f"{_letters(draw, 2)}{_digits(draw, 2)} {_digits(draw, 4)}",
            f"SN{_digits(draw, 2)}{_letters(draw, 12, string.ascii_uppercase + string.digits)}",
        ]
    )


def _dated(draw: random.Random) -> str:
    year, month, day = _date(draw)
    return f"{year % 100:02}{month:02}{day:02}"


def _day_first(draw: random.Random) -> str:
    year, month, day = _date(draw)
    return f"{day:02}{month:02}{year % 100:02}"


_ID_LETTERS = "BCDFGHLMNPRSTVZ"


def _codice(draw: random.Random) -> str:
    year, _, day = _date(draw)
    body = f"{_letters(draw, 6, _ID_LETTERS)}{year % 100:02}{draw.choice('ABCDEHLMPRST')}"
    body += f"{day + draw.choice([0, 40]):02}{draw.choice('ABCDEFGHIL')}{_digits(draw, 3)}"
    return body + codicefiscale.calc_check_digit(body)


def _nir(draw: random.Random) -> str:
    year, month, _ = _date(draw)
    body = f"{draw.choice('12')}{year % 100:02}{month:02}{draw.randint(1, 95):02}{_digits(draw, 6)}"
    return body + nir.calc_check_digits(body)


def _hetu(draw: random.Random) -> str:
    date, number = _day_first(draw), f"{draw.randint(2, 899):03}"
    return f"{date}-{number}" + "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(date + number) % 31]


def _pesel(draw: random.Random) -> str:
    body = _dated(draw) + _digits(draw, 4)
    return body + pesel.calc_check_digit(body)


def _personnummer(draw: random.Random) -> str:
    body = _dated(draw) + _digits(draw, 3)
    return f"{body[:6]}-{body[6:]}{luhn.calc_check_digit(body)}"


def _belgian(draw: random.Random) -> str:
    body = _dated(draw) + f"{draw.randint(1, 997):03}"
    number = body + f"{97 - int(body) % 97:02}"
    formatted = f"{number[:2]}.{number[2:4]}.{number[4:6]}-{number[6:9]}.{number[9:]}"
    return draw.choice([number, formatted])


def _norwegian(draw: random.Random) -> str:
    return _day_first(draw) + _digits(draw, 5)


def _dni(draw: random.Random) -> str:
    body = _digits(draw, 8)
    return f"{body}{draw.choice(['', '-'])}{dni.calc_check_digit(body)}"


def _nie(draw: random.Random) -> str:
    body = f"{draw.choice('XYZ')}{_digits(draw, 7)}"
    return body + nie.calc_check_digit(body)


def _nino(draw: random.Random) -> str:
    return (
        f"{draw.choice('ABCEHJLMPRSW')}{draw.choice('ABCEHJLMPRSW')} {_digits(draw, 2)} "
        f"{_digits(draw, 2)} {_digits(draw, 2)} {draw.choice('ABCD')}"
    ).replace(" ", draw.choice(["", " "]))


# (words that must lead to it, generator, check, how a near miss comes about)
_IDENTITIES: tuple[tuple[str, Draw, Callable[[str], bool]], ...] = (
    ("", lambda d: f"{_digits(d, 3)}-{_digits(d, 2)}-{_digits(d, 4)}", ssn.is_valid),
    ("SSN ", lambda d: _digits(d, 9), ssn.is_valid),
    ("", _nir, nir.is_valid),
    ("", _pesel, pesel.is_valid),
    ("", _personnummer, personnummer.is_valid),
    ("", _hetu, hetu.is_valid),
    ("", _belgian, nn.is_valid),
    ("", lambda d: cpf.format(_digits(d, 11)), cpf.is_valid),
    ("", lambda d: ahv.format("756" + _digits(d, 10)), ahv.is_valid),
    ("", _norwegian, fodselsnummer.is_valid),
    ("", _dni, dni.is_valid),
    ("", _nie, nie.is_valid),
    ("", _codice, codicefiscale.is_valid),
    ("", _nino, lambda one: one.replace(" ", "")[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN")),
    ("BSN ", lambda d: _digits(d, 9), bsn.is_valid),
    ("SIN: ", lambda d: sin.format(_digits(d, 9)), sin.is_valid),
    ("Aadhaar no ", lambda d: aadhaar.format(_digits(d, 12)), aadhaar.is_valid),
    ("NHS number ", lambda d: nhs.format(_digits(d, 10)), nhs.is_valid),
    ("CPR ", lambda d: f"{_day_first(d)}-{_digits(d, 4)}", cpr.is_valid),
)


_DOCUMENTED_IN = (
    ("", ssn), ("", nir), ("", pesel), ("", hetu), ("", nn), ("", cpf), ("", ahv),
    ("", fodselsnummer), ("", dni), ("", nie), ("", codicefiscale), ("BSN ", bsn), ("SIN ", sin),
    ("Aadhaar ", aadhaar), ("NHS ", nhs), ("CPR ", cpr), ("personnummer ", personnummer),
)  # fmt: skip


def _documented() -> list[tuple[str, str]]:
    """Return the valid numbers that the documentation of the `stdnum` modules shows.

    Left out: a company's number under `codicefiscale` and a bare SSN, which need other words.
    """
    return [
        (lead, value)
        for lead, module in _DOCUMENTED_IN
        for value in re.findall(r"(?:validate|is_valid|compact)\('([^']+)'\)", module.__doc__)
        if module.is_valid(value) and value not in ("00743110157", "111223333")
    ]


_EXAMPLES_OF_IDENTITIES = _documented()


def _national_id(draw: random.Random) -> str:
    if draw.random() < 0.1:
        return "|".join(draw.choice(_EXAMPLES_OF_IDENTITIES))
    lead, make, is_valid = draw.choice(_IDENTITIES)
    return f"{lead}|{_until(draw, make, is_valid)}"


def _near_id(draw: random.Random) -> str:
    """A number of the very form with a digit or letter that the check refuses."""
    lead, make, is_valid = draw.choice(
        [one for one in _IDENTITIES if one[1] is not _nino and one[0] != "CPR "]
    )

    def spoil(_: random.Random) -> str:
        value = _until(draw, make, is_valid)
        at = draw.choice([i for i, sign in enumerate(value) if sign.isdigit()])
        return value[:at] + str((int(value[at]) + draw.randint(1, 9)) % 10) + value[at + 1 :]

    checks = [check for _, _, check in _IDENTITIES[:13]]
    return lead + _until(draw, spoil, lambda one: not any(check(one) for check in checks))


def _no_id(draw: random.Random) -> str:
    return draw.choice(
        [
            f"000-{_digits(draw, 2)}-{_digits(draw, 4)}",
            f"9{_digits(draw, 2)}-{_digits(draw, 2)}-{_digits(draw, 4)}",
            f"{_digits(draw, 3)}-{_digits(draw, 2)}-{_digits(draw, 3)}",
            f"{_digits(draw, 8)}",
            f"{_letters(draw, 6)}{_digits(draw, 4)}",
            f"reference {_digits(draw, 9)}",
            f"{_digits(draw, 9)} views",
        ]
    )


# --- dates of birth ---

_MONTHS = "January February March April May June July August September October November December"


def _written_date(draw: random.Random) -> str:
    year, month, day = _date(draw)
    name = _MONTHS.split()[month - 1]
    return draw.choice(
        [
            f"{year}-{month:02}-{day:02}",
            f"{day:02}/{month:02}/{year}",
            f"{month}/{day}/{year}",
            f"{day:02}.{month:02}.{year}",
            f"{day} {name} {year}",
            f"{name} {day}, {year}",
            f"{day}-{name[:3]}-{year}",
            f"{day}th of {name} {year}"
            if day in (4, 5, 6, 11, 20)
            else f"{name[:3]} {day}, {year}",
            f"{day:02}/{month:02}/{year % 100:02}",
        ]
    )


def _birth(draw: random.Random) -> str:
    lead = draw.choice(
        [
            "born on ", "DOB: ", "DOB ", "D.O.B. ", "date of birth: ", "Date of Birth is ",
            "birthday: ", "her birthday is ", "birth date ", "born ", "was born in Leeds on ",
            "Geburtsdatum: ", "geboren am ", "geb. ", "date of birth (DD/MM/YYYY): ",
            "date_of_birth=",
            "fecha de nacimiento: ", "date de naissance : ", "née le ", "dob=",
        ]
    )  # fmt: skip
    return f"{lead}|{_written_date(draw)}"


def _no_birth(draw: random.Random) -> str:
    date = _written_date(draw)
    return draw.choice(
        [
            f"order date {date}",
            f"due on {date}",
            f"released {date}",
            f"date of birth missing; ticket opened on {date}",
            f"our firm was born in a garage. Founded {date}",
            f"birthday voucher valid until {date}",
            f"DOB: {draw.randint(32, 99)}/{draw.randint(13, 99)}/1985",
            f"date of birth not given, signed {date}",
            f"invoice of {date}",
            f"the bug was born with the update, deployed {date}",
            f"birthday cake ordered for delivery on {date}",
            f"Geburtstagsaktion endet am {date}",
            f"contract from {date}",
            f"dob field added in release of {date}",
            f"meeting {date}",
            f"stubborn since {date}",
        ]
    )


# --- secrets ---


def _random_text(draw: random.Random, count: int, alphabet: str = _ALNUM) -> str:
    return "".join(draw.choices(alphabet, k=count))


def _token(draw: random.Random) -> str:
    return draw.choice(
        [
            f"sk-{_random_text(draw, 48)}",
            f"sk-proj-{_random_text(draw, 40)}",
            f"sk_live_{_random_text(draw, 24)}",
            f"ghp_{_random_text(draw, 36)}",
            f"github_pat_{_random_text(draw, 22)}_{_random_text(draw, 59)}",
            f"glpat-{_random_text(draw, 20)}",
            f"AKIA{_random_text(draw, 16, string.ascii_uppercase + '234567')}",
            f"AIza{_random_text(draw, 35, _ALNUM + '-_')}",
            f"xoxb-{_digits(draw, 12)}-{_digits(draw, 12)}-{_random_text(draw, 24)}",
            f"npm_{_random_text(draw, 36)}",
            f"hf_{_random_text(draw, 34)}",
            f"SG.{_random_text(draw, 22)}.{_random_text(draw, 43)}",
        ]
    )


def _jwt(draw: random.Random) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    body = f'{{"sub":"{_digits(draw, 10)}","iat":{_digits(draw, 10)}}}'.encode()
    claims = base64.urlsafe_b64encode(body).decode().rstrip("=")
    return f"{head}.{claims}.{_random_text(draw, 43, _ALNUM + '-_')}"


def _pem(draw: random.Random) -> str:
    lines = "\n".join(_random_text(draw, 64, _ALNUM + "+/") for _ in range(4))
    kind = draw.choice(["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"])
    return f"-----BEGIN {kind}-----\n{lines}==\n-----END {kind}-----"


def _password(draw: random.Random) -> str:
    return draw.choice(
        [
            f"{draw.choice(_WORDS)}{_digits(draw, 3)}",
            f"{draw.choice(_WORDS).title()}#{draw.choice(_WORDS)}{_digits(draw, 1)}",
            _random_text(draw, 10) + "7a",
            f"{draw.choice(_WORDS)}&{draw.choice(_WORDS)}",
        ]
    )


def _secret(draw: random.Random) -> str:
    named = draw.choice(
        ["api_key=", "API key: ", "token: ", "access_token=", "SECRET_KEY = ", '"apiKey": "',
         "Authorization: Bearer ", "client_secret=", "key=", "the token is "]
    )  # fmt: skip
    word = draw.choice(
        ["password: ", "password=", "Passwort: ", "pwd=", "my password is ", "passwd:"]
    )
    return draw.choice(
        [
            _token(draw),
            _token(draw),
            _jwt(draw),
            _pem(draw),
            f"{named}|{_random_text(draw, draw.choice([24, 32, 40]))}",
            f"{named}|{_random_text(draw, 32, '0123456789abcdef')}",
            f"{word}|{_password(draw)}",
        ]
    )


def _no_secret(draw: random.Random) -> str:
    word, other = draw.choice(_WORDS), draw.choice(_WORDS)
    sha = _random_text(draw, 40, "0123456789abcdef")
    return draw.choice(
        [
            "token=null",
            "password: required",
            f"key = {word}",
            "api_key: YOUR_API_KEY_HERE",
            f"commit {sha}",
            f"id {sha[:8]}-{sha[8:12]}-{sha[12:16]}-{sha[16:20]}-{sha[20:32]}",
            f"sk-{word}-{other}-based-models-are-used",
            f"sort_key={word}_at_timestamp_{draw.randint(2000, 2030)}",
            "password reset link",
            f"token count: {_digits(draw, 16)}",
            "the key is under the mat",
            "the password is wrong",
            f"primary_key={word}_id",
            "password must have 8 characters",
            "api_key=${API_KEY}",
            "key: F# minor",
            f"secret {word} of the {other}",
            f"md5 {sha[:32]}",
            f"public key of {word}",
            f"cache-key:{word}-{other}-{draw.randint(1, 99)}",
            f"monkey {word}",
            "password: ********",
            f"ghp_{word}",
            "AKIA is a prefix",
            "eyJ starts a token",
            "-----BEGIN CERTIFICATE-----",
            f"keyboard layout {word}{draw.randint(1, 9)}",
            f"foreign_key={word}_{other}_{_digits(draw, 4)}_{word}",
        ]
    )


_NUMBERS: tuple[Draw, ...] = (_order_number, _timestamp, _price, _part_number, _isbn, _version)

_KINDS: dict[str, tuple[Draw, tuple[Draw, ...]]] = {
    "email": (_email, (_no_email,)),
    "phone": (_phone, (_no_phone, _bad_phone, *_NUMBERS)),
    "ip": (_ip, (_no_ip, _no_ip, _version, _version, _timestamp, _price)),
    "url": (_url, (_no_url,)),
    "card": (_card, (_no_card, _no_card, _no_card, *_NUMBERS)),
    "iban": (_iban, (_no_iban, _no_iban, _part_number, _order_number)),
    "national_id": (_national_id, (_near_id, _near_id, _near_id, _no_id, _no_id, *_NUMBERS)),
    "date_of_birth": (_birth, (_no_birth, _no_birth, _timestamp)),
    "secret": (_secret, (_no_secret,)),
}
