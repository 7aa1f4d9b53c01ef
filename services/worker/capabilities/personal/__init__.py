"""Finds personal data in text by form and checksum; one module per class of it."""

from collections.abc import Callable, Collection, Iterable

from services.worker.capabilities.personal import (
    bank_account,
    birth_date,
    card,
    email_address,
    ip_address,
    national_id,
    phone,
    secret,
    url,
)
from services.worker.capabilities.personal.spans import Span, resolved

Find = Callable[[str], Iterable[Span]]

_TEXTS: dict[str, Find] = {"secret": secret.find, "email": email_address.find, "url": url.find}
_NUMBERS: tuple[Find, ...] = (
    bank_account.find,
    card.find,
    national_id.find,
    ip_address.find,
    birth_date.find,
)


def find_personal(text: str, classes: Collection[str], regions: Iterable[str]) -> list[Span]:
    """Return spans of personal data in text order, without overlaps.

    `classes` are names of `shared.capabilities.builtin.redact.CLASSES`; `regions` are the
    two-letter countries whose national phone formats count. Numbers of every class are looked
    for, so that a card is never taken for a phone when only phones are asked for.
    """
    numbers = [span for find in _NUMBERS for span in find(text)]
    if "phone" in classes:
        numbers += phone.find(text, tuple(regions))
    texts = [span for kind, find in _TEXTS.items() if kind in classes for span in find(text)]
    return resolved([*texts, *(span for span in resolved(numbers) if span.kind in classes)])
