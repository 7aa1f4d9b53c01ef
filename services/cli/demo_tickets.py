"""Support tickets with personal data, made up: the same for the same seed."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

COLUMNS = ("id", "opened_at", "channel", "text")

_FIRST = ("Ada", "Bela", "Cem", "Dunja", "Elif", "Femi", "Gesa", "Hugo", "Ines", "Jona", "Kofi")
_LAST = ("Arnold", "Brandt", "Celik", "Duarte", "Egger", "Fuchs", "Garcia", "Hansen", "Ivanov")
_HOSTS = ("example.com", "example.org", "example.net", "mail.example.com")
_CHANNELS = ("mail", "web form", "chat", "phone")
_PRODUCTS = ("kettle", "rowing machine", "desk lamp", "tent", "bread maker", "bicycle trailer")
_FAULTS = (
    "stopped working after two days",
    "arrived with a cracked lid",
    "makes a grinding noise",
    "was charged twice",
    "never left the warehouse",
    "does not match the picture",
)
_CLOSINGS = (
    "Please call me back.",
    "I look forward to a quick answer.",
    "This is the second time I write.",
    "Thank you in advance.",
    "Kind regards",
)
# Numbers that look like personal data and are not; a redaction must leave them alone.
_DECOYS = (
    "The serial number is {a:04d}-{b:04d}-{c:03d}.",
    "Order {a:04d}{b:04d} was placed on a Tuesday.",
    "Firmware 10.4.2 is installed, build {b:04d}.",
    "The parcel weighs {c:03d} grams and measures 30 x 20 x 12 cm.",
    "Your article {c:03d}/{a:04d} says 230 V, 50 Hz.",
)


def write_tickets(path: Path, count: int = 2_000, seed: int = 2026) -> None:
    """Write ``count`` tickets as CSV with the columns ``COLUMNS``; ``id`` is unique."""
    dice = Random(seed)  # noqa: S311 - repeatable, nothing secret
    opened = datetime(2026, 1, 5, 7, 0, tzinfo=UTC)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(1, count + 1):
            opened += timedelta(seconds=dice.randint(30, 900))
            channel = dice.choice(_CHANNELS)
            writer.writerow((number, f"{opened:%Y-%m-%dT%H:%M:%SZ}", channel, ticket_text(dice)))


def ticket_text(dice: Random) -> str:
    """Return the text of one ticket; about one in six holds no personal data."""
    first, last = dice.choice(_FIRST), dice.choice(_LAST)
    sentences = [f"Hello, my {dice.choice(_PRODUCTS)} {dice.choice(_FAULTS)}."]
    if dice.random() < 0.35:
        numbers = {name: dice.randint(1, high) for name, high in (("a", 9999), ("b", 9999))}
        sentences.append(dice.choice(_DECOYS).format(**numbers, c=dice.randint(1, 999)))
    found = dice.choices((0, 1, 2, 3), weights=(1, 3, 2, 1))[0]
    writers = dice.sample(_FINDINGS, found)
    sentences += [write(dice, first, last) for write in writers]
    closing = dice.choice(_CLOSINGS)
    sentences.append(f"{closing}, {first} {last}" if closing == "Kind regards" else closing)
    return " ".join(sentences)


def _email(dice: Random, first: str, last: str) -> str:
    sign = dice.choice((".", "_", ""))
    number = dice.choice(("", str(dice.randint(1, 99))))
    return f"My address is {first.lower()}{sign}{last.lower()}{number}@{dice.choice(_HOSTS)}."


def _phone(dice: Random, _first: str, _last: str) -> str:
    # Ranges that the authorities of these countries keep free for films and books.
    number = dice.choice(
        (
            f"+44 20 7946 0{dice.randint(0, 999):03d}",
            f"+49 30 23125 {dice.randint(0, 999):03d}",
            f"(202) 555-01{dice.randint(0, 99):02d}",
            f"+1 212 555 01{dice.randint(0, 99):02d}",
        )
    )
    return dice.choice(("You can reach me at {}.", "My phone number is {}.")).format(number)


def _card(dice: Random, _first: str, _last: str) -> str:
    digits = with_luhn("4" + "".join(str(dice.randint(0, 9)) for _ in range(14)))
    shown = " ".join(digits[start : start + 4] for start in range(0, 16, 4))
    return f"I paid with card {shown if dice.random() < 0.7 else digits}."


def _iban(dice: Random, _first: str, _last: str) -> str:
    account = "".join(str(dice.randint(0, 9)) for _ in range(18))
    iban = f"DE{iban_check('DE', account)}{account}"
    shown = " ".join(iban[start : start + 4] for start in range(0, 22, 4))
    return f"Please refund to {shown if dice.random() < 0.6 else iban}."


def _address(dice: Random, _first: str, _last: str) -> str:
    net = dice.choice(("192.0.2", "198.51.100", "203.0.113"))  # reserved for documentation
    six = f"2001:db8::{dice.randint(1, 65535):x}:{dice.randint(1, 65535):x}"
    chosen = f"{net}.{dice.randint(1, 254)}" if dice.random() < 0.8 else six
    return f"The log shows a login from {chosen} that was not me."


def _url(dice: Random, first: str, _last: str) -> str:
    return (
        f"My basket is at https://shop.example/users/{first.lower()}/baskets/"
        f"{dice.randint(10_000, 99_999)}?step=pay."
    )


def _birth(dice: Random, _first: str, _last: str) -> str:
    day = datetime(1950, 1, 1, tzinfo=UTC) + timedelta(days=dice.randint(0, 20_000))
    return f"I was born on {dice.choice((f'{day:%Y-%m-%d}', f'{day:%d.%m.%Y}'))}."


def _token(dice: Random, _first: str, _last: str) -> str:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return f"The app shows api_key={''.join(dice.choices(letters, k=32))} on every page."


_FINDINGS: tuple[Callable[[Random, str, str], str], ...] = (
    _email,
    _phone,
    _card,
    _iban,
    _address,
    _url,
    _birth,
    _token,
)


def with_luhn(digits: str) -> str:
    """Return the digits with the check digit of payment cards behind them."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


def iban_check(country: str, account: str) -> str:
    """Return the two check digits of an IBAN (ISO 13616, remainder 97)."""
    moved = f"{account}{country}00"
    number = int("".join(str(int(sign, 36)) for sign in moved))
    return f"{98 - number % 97:02d}"
