"""What may be said about a user's regular expression before it runs."""

import regex

LONGEST_PATTERN = 1000


def pattern_problem(pattern: str) -> str | None:
    """Return why `pattern` cannot be used, as a sentence, or None when it compiles.

    The dialect is the `regex` package's (a superset of Python's `re`); ``^`` and ``$`` mean line
    ends.
    """
    if len(pattern) > LONGEST_PATTERN:
        return f"The pattern is longer than {LONGEST_PATTERN} characters; shorten it."
    try:
        regex.compile(pattern, regex.MULTILINE)
    except (regex.error, OverflowError, RecursionError) as error:
        return f"The pattern does not compile ({error}); correct it."
    return None


def matches_nothing_in_particular(pattern: str) -> bool:
    """Return whether a pattern that compiles also matches an empty line."""
    return regex.compile(pattern, regex.MULTILINE).match("") is not None
