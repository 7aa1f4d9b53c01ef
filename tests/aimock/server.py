"""Starts and stops aimock as a process of its own, and speaks to its control interface."""

import json
import os
import re
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
BINARY = ROOT / ".aimock" / "node_modules" / ".bin" / "llmock"
KEY = "sk-of-these-tests"
_ADDRESS = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True)
class Seen:
    """One request as aimock's journal holds it; `chaos` is the fault aimock made of it."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]
    chaos: str | None

    @property
    def system(self) -> str:
        return str(self.body["messages"][0]["content"])

    @property
    def user(self) -> str:
        """The last thing the user's side said."""
        said = [one["content"] for one in self.body["messages"] if one["role"] == "user"]
        return str(said[-1])


class Aimock:
    """A running aimock that asks for `KEY`; what no fixture fits is answered with 404."""

    def __init__(self, folder: Path) -> None:
        assert BINARY.exists(), f"{BINARY} is not there: `make aimock` installs and runs this"
        empty, self._log = folder / "none.json", folder / "aimock.log"
        empty.write_text('{"fixtures": []}')
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [BINARY, "--port", "0", "--fixtures", empty, "--journal-max", "0"],
                env={**os.environ, "AIMOCK_API_KEYS": KEY},
                stdout=log,
                stderr=log,
            )
        found = eventually(self._address, within=30)
        self.url = found.group(1)
        self.base_url = f"{self.url}/v1"

    def add(self, *fixtures: dict[str, Any]) -> None:
        """Add fixtures after those that are there; the first that fits a request answers it."""
        self._control("POST", "/fixtures", {"fixtures": list(fixtures)})

    def fail_next(self, status: int, **error: str) -> None:
        """Answer the next request with an error, whatever it asks; the one said last is first."""
        self._control("POST", "/error", {"status": status, "body": error})

    def disturb(self, **rates: float) -> None:
        """Disturb every request with these probabilities, until called without any."""
        self._control("POST", "/chaos", rates)

    def seen(self) -> list[Seen]:
        """Return the requests of models so far, in their order."""
        entries = self._control("GET", "/journal?path=/v1/chat/completions")
        return [
            Seen(
                entry["response"]["status"],
                entry["body"],
                entry["headers"],
                entry["response"].get("chaosAction"),
            )
            for entry in entries
        ]

    def reset(self) -> None:
        """Forget fixtures, counts and journal, and disturb nothing."""
        self._control("POST", "/reset")
        self.disturb()

    def stop(self) -> None:
        """End the process."""
        self._process.kill()  # told to stop it would wait for connections that are kept alive
        self._process.wait(10)

    def _address(self) -> re.Match[str] | None:
        assert self._process.poll() is None, self._log.read_text()
        return _ADDRESS.search(self._log.read_text())

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self.url}/__aimock{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {KEY}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())
