"""Reads the words of a goal: lower case, plain spaces, tolerant of plurals and articles."""

import re
import unicodedata
from collections.abc import Iterable

_POLITE = re.compile(r"^(?:please|kindly|can you|could you|i want you to|i want to|now)\b[, ]*")
_ARTICLES = re.compile(r"^(?:(?:all|every|each|any|the|this|these|those|my|our|its|of)\s+)+")
_LIST = re.compile(r"\s*,\s*(?:and\s+|as well as\s+)?|\s+(?:and|as well as|plus|&)\s+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def plain(goal: str) -> str:
    """Return the goal in lower case without polite words, quotes and closing punctuation."""
    text = unicodedata.normalize("NFKC", goal).lower()
    text = " ".join(re.sub(r"[`\"“”‘’']", "", text).split()).strip(" .!?;")
    before = None
    while before != text:
        before, text = text, _POLITE.sub("", text)
    return re.sub(r",? please$", "", text)


def items(text: str) -> list[str]:
    """Return the parts of an enumeration: ``a, b and c`` gives three."""
    return [part for part in _LIST.split(text) if part]


def without_articles(phrase: str) -> str:
    """Return a phrase without the articles and quantifiers in front."""
    return _ARTICLES.sub("", phrase.strip() + " ").strip()


def forms(name: str) -> set[str]:
    """Return the spellings a name is compared by: words apart, singular and plural alike."""
    words = re.sub(r"[\W_]+", " ", _CAMEL.sub(" ", name)).lower().strip()
    words = re.sub(r"\be mail", "email", words)
    found = {words}
    if words.endswith("ies"):
        found.add(words[:-3] + "y")
    if words.endswith("es"):
        found.add(words[:-2])
    if words.endswith("s") and not words.endswith("ss"):
        found.add(words[:-1])
    return found - {""}


def same(one: str, other: str) -> bool:
    """Return True when two names mean the same thing but for case, underscores and number."""
    return bool(forms(one) & forms(other))


def snake(phrase: str) -> str:
    """Return a phrase as a name of letters, digits and underscores (at most 40)."""
    text = unicodedata.normalize("NFKD", _CAMEL.sub("_", phrase)).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return name[:40].strip("_")


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return `wanted`, or with a number behind it when it is taken."""
    used = set(taken)
    number, name = 2, wanted
    while name in used:
        name, number = f"{wanted}_{number}", number + 1
    return name


def quoted(identifier: str) -> str:
    """Return a table or column as an SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'
