"""Where the command line writes: answers to stdout, everything about them to stderr."""

import json
import sys
from typing import Any

from rich.console import Console

_PIPED_WIDTH = 160  # a pipe has no width; 80 would cut ids

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Tell the person something; never part of the answer."""
    err.print(text, markup=False)


def print_json(value: Any) -> None:
    """Write one line of JSON to stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()
