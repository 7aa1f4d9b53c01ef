"""Prompts as versioned text files: a file once released stays as it is, a change is a new version.

Slots are written ``[[name]]`` (plans use ``{{ name }}``) and filled in one pass.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_SLOT = re.compile(r"\[\[([a-z_]+)\]\]")


@cache
def prompt_text(name: str, version: int = 1) -> str:
    """Return the text of ``NAME.vVERSION.md``, without the newline at its end.

    Raises FileNotFoundError for one that does not exist.
    """
    found = files(__name__).joinpath(f"{name}.v{version}.md")
    return found.read_text(encoding="utf-8").rstrip("\n")


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return the text with every slot replaced; what a value contains is never read as a slot.

    Raises KeyError for a slot without a value.
    """
    return _SLOT.sub(lambda slot: values[slot[1]], text)
