"""Which addresses that are no web pages may be read from: those below what the operator listed."""

import re

WEB = frozenset({"http", "https"})
LONGEST = 4_000  # characters
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
# What readers of addresses read differently: blanks at the ends, controls, backslashes, chains.
_AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029\ufeff]|::|%(?:2[eEfF]|5[cC])")


def scheme_of(url: str) -> str:
    """Return what stands before ``://`` in lower case; empty without one."""
    scheme, mark, _ = url.partition("://")
    return scheme.lower() if mark else ""


def parse_prefixes(text: str) -> tuple[str, ...]:
    """Return the prefixes of a list such as ``s3://bucket/in/, file:///srv/data/``.

    Raises ValueError for one that is not plain, has no folder, or is a web address.
    """
    found = [part.strip() for part in text.split(",") if part.strip()]
    for prefix in found:
        if scheme_of(prefix) in WEB:
            raise ValueError(f"{prefix}: web addresses are not listed; they are checked by network")
        problem = _form_problem(prefix)
        if problem is None and not prefix.endswith("/"):
            problem = "it must end in a slash, or names that only begin alike would count"
        if problem is not None:
            raise ValueError(f"{prefix}: {problem}")
    return tuple(found)


def address_problem(url: str, prefixes: tuple[str, ...]) -> str | None:
    """Return why an address may not be read from; None when it lies below one of the prefixes."""
    problem = _form_problem(url)
    if problem is not None:
        return f"The address cannot be used: {problem}."
    if any(url.startswith(prefix) and len(url) > len(prefix) for prefix in prefixes):
        return "The address names a folder, not a file." if url.endswith("/") else None
    return "The address lies below no prefix that may be read from."


def _form_problem(url: str) -> str | None:
    scheme, mark, path = url.partition("://")
    if not mark or not _SCHEME.fullmatch(scheme):
        return "it does not begin like s3:// or file:///"
    if len(url) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    if url != url.strip() or _AMBIGUOUS.search(url):
        return "it holds blanks, control characters, backslashes, `::` or encoded dots or slashes"
    names = path.removesuffix("/").split("/")
    if scheme == "file":  # has no host: file:///folder
        if not path.startswith("/"):
            return "a file is written file:///folder/name"
        names = names[1:]
    if not names or any(name in ("", ".", "..") for name in names):
        return "it holds empty names, or `.` or `..`"
    return None
