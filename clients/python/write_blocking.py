"""Writes `apwa_client/blocking` from `apwa_client/aio`; run it after a change there."""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent / "apwa_client"
SOURCE, TARGET = PACKAGE / "aio", PACKAGE / "blocking"
BY_HAND = ("ways.py",)
_FIXES = ("--select=I,UP028,C416",)  # what reads better without the awaiting
_ASYNC = re.compile(r"\basync (?=def|with|for)|\bawait ")
_NAMES = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "aread": "read",
    "aiter_bytes": "iter_bytes",
    "asynccontextmanager": "contextmanager",
    "apwa_client.aio": "apwa_client.blocking",
    "safe to share between tasks": "safe to share between threads",
    "The asynchronous client; `apwa_client/blocking` is written from it.": (
        "The blocking client; written from `apwa_client/aio` by `write_blocking.py`."
    ),
}


def blocking_modules() -> dict[Path, str]:
    """Return the text of every module of `blocking` that is written, by its path."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE)
        if name.as_posix() not in BY_HAND:
            target = TARGET / name
            found[target] = _tidy(_blocking(path.read_text(encoding="utf-8")), target)
    return found


def _blocking(text: str) -> str:
    text = _ASYNC.sub("", text)
    for name, twin in _NAMES.items():
        text = text.replace(name, twin)
    return re.sub(r"\bAsync(?=[A-Z])", "", text)


def _tidy(text: str, path: Path) -> str:
    """Format as the rest of the code: names have other lengths now."""
    for words in (["check", *_FIXES, "--fix", "--unsafe-fixes", "--quiet"], ["format"]):
        command = [sys.executable, "-m", "ruff", *words, "--stdin-filename", str(path), "-"]
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=True, cwd=PACKAGE.parents[2]
        )
        text = done.stdout
    return text


if __name__ == "__main__":
    for target, content in blocking_modules().items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
