"""Prefixed, sortable, opaque identifiers."""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
PREFIXES = (
    "job",
    "tbl",
    "evt",
    "key",
    "prj",
    "wrk",
    "req",
    "wfl",
    "whe",
    "dlv",
    "fil",
    "bat",
    "trg",
    "vtk",
)


def new_id(prefix: str) -> str:
    """Return ``prefix_`` + 26 characters: 48 bits of milliseconds, then 80 random bits.

    Ids made later sort later (to the millisecond), so keyset pages need no second column.
    """
    if prefix not in PREFIXES:
        raise ValueError(f"unknown id prefix {prefix!r}; one of {', '.join(PREFIXES)}")
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    digits = "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{digits}"


def is_id(text: str, prefix: str) -> bool:
    """Return True when `text` is written as `new_id(prefix)` writes ids."""
    start, digits = f"{prefix}_", text[len(prefix) + 1 :]
    return text.startswith(start) and len(digits) == 26 and set(digits) <= set(_ALPHABET)
