"""Finds keys, tokens and passwords: by the prefix of their issuer, or by what they are called."""

import re
from collections.abc import Iterator
from itertools import pairwise

from services.worker.capabilities.personal.spans import Span

_PEM = re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = re.compile(r"[A-Za-z0-9+/=\s\\]*")
_LONGEST_PEM = 20_000
_ISSUED = re.compile(
    r"(?<![\w-])(?:"
    r"sk-(?:[a-z]{2,8}[0-9]{0,2}-)*(?P<random>[A-Za-z0-9_-]{20,200})"
    r"|[sr]k_(?:live|test)_[A-Za-z0-9]{16,200}|whsec_[A-Za-z0-9+/=]{20,200}"
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[\w-]{20,64}"
    r"|(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}(?![A-Z0-9])|AIza[\w-]{35}|ya29\.[\w-]{20,400}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,255}|xapp-[0-9]-[A-Za-z0-9-]{20,255}"
    r"|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,400}|hf_[A-Za-z0-9]{30,64}|dop_v1_[a-f0-9]{64}"
    r"|SG\.[\w-]{16,32}\.[\w-]{32,64}|shpat_[a-fA-F0-9]{32}|SK[0-9a-f]{32}"
    r"|eyJ[\w-]{8,4000}\.eyJ[\w-]{8,8000}\.[\w-]{16,2000}"
    r")"
)
_BY_NAME = re.compile(
    r"(?:(?P<word>pass(?:word|wort|wd|phrase|code)|pwd?|mot de passe|contrase[ñn]a)"
    r"|key|token|secret|credentials?|bearer|authorization)"
    r"(?:[\"']?[ \t]*(?:(?:is[ \t]*)?(?::=|=>|[:=])|is\b)[ \t]*|[ \t]+(?=[\w+/=.-]{20}))[\"'`]?"
    r"(?:(?:bearer|basic|token)[ \t]+)?(?P<value>[^\s\"'`,;<>()]{6,4000})",
    re.IGNORECASE,
)
_NAME_HINT = re.compile(
    r"pass|pwd?|key|token|secret|credential|bearer|authorization|contrase", re.I
)
_SOURCES_OF_NO_SECRET = re.compile(
    r"^(?:\$\{|\{\{|%|<|\[|\*+$|x+$|process\.env|os\.environ)|::", re.I
)


def find(text: str) -> Iterator[Span]:
    """Yield the secrets of `text`; words that merely follow "key" or "password" are none."""
    yield from _find_private_keys(text)
    for match in _ISSUED.finditer(text):
        if match["random"] is None or _looks_random(match["random"]):
            yield Span(match.start(), match.end(), "secret", match.group())
    if _NAME_HINT.search(text):
        yield from _find_by_name(text)


def _find_private_keys(text: str) -> Iterator[Span]:
    """Yield whole blocks; one that is cut off ends where its characters cease to be base64."""
    start = _PEM.search(text)
    while start is not None:
        end = _PEM_END.search(text, start.end(), start.end() + _LONGEST_PEM)
        end = end or _PEM_BODY.match(text, start.end())
        at = start.end() if end is None else end.end()
        yield Span(start.start(), at, "secret", text[start.start() : at])
        start = _PEM.search(text, at)


def _find_by_name(text: str) -> Iterator[Span]:
    for match in _BY_NAME.finditer(text):
        value = match["value"].rstrip(".:")
        if _SOURCES_OF_NO_SECRET.search(value):
            continue
        if _looks_chosen(value) if match["word"] else _looks_random(value):
            start = match.start("value")
            yield Span(start, start + len(value), "secret", value)


def _looks_chosen(value: str) -> bool:
    """Whether it may be a password: letters mixed with digits or signs, no plain words."""
    letters = any(sign.isalpha() for sign in value)
    digits = any(sign.isdigit() for sign in value)
    signs = re.search(r"[^\w.-]", value) is not None
    return len(value) >= 6 and letters and (digits or signs)


def _looks_random(value: str) -> bool:
    """Whether it jumps between letters and digits (or cases) as chosen names do not."""
    if len(value) < 16 or len(set(value)) < 8 or not any(sign.isdigit() for sign in value):
        return False
    kinds = [_kind(sign) for sign in value]
    jumps = sum((one, after) in _JUMPS for one, after in pairwise(kinds))
    return jumps >= max(3, len(value) // 10)


_JUMPS = frozenset(
    [
        ("lower", "upper"),
        ("lower", "digit"),
        ("upper", "digit"),
        ("digit", "lower"),
        ("digit", "upper"),
    ]
)


def _kind(sign: str) -> str:
    if sign.isdigit():
        return "digit"
    if sign.isalpha():
        return "upper" if sign.isupper() else "lower"
    return "sign"
