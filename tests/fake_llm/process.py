"""Starts and stops the fake endpoint as a process of its own."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fake_llm.journal import Call, read_journal

ROOT = Path(__file__).parents[2]


class FakeModel:
    """A running fake endpoint: ``with FakeModel(folder, latency_ms={"fixed": 5}) as model: ...``.

    `base_url` is what `OPENAI_BASE_URL` takes. Keyword arguments are switches of
    `settings.Behaviour`.
    """

    def __init__(self, folder: Path, *, port: int = 0, **behaviour: Any) -> None:
        self.journal_path = folder / "calls.jsonl"
        command = [
            sys.executable, "-m", "tests.fake_llm", "--port", str(port),
            "--journal", str(self.journal_path), "--behaviour", json.dumps(behaviour),
        ]  # fmt: skip
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.base_url: str = told["base_url"]
        self.port: int = told["port"]

    def __enter__(self) -> "FakeModel":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.stop()

    def change(self, **switches: Any) -> None:
        """Change how the endpoint behaves from now on."""
        self._ask("/control", json.dumps(switches).encode())

    def stats(self) -> dict[str, int]:
        """Return the calls so far and those in flight (only delayed ones count)."""
        return dict(self._ask("/stats"))

    def calls(self) -> list[Call]:
        """Return the calls that ended so far."""
        return read_journal(self.journal_path)

    def forget(self) -> None:
        """Empty the journal."""
        self.journal_path.write_bytes(b"")

    def stop(self) -> None:
        """End the process; a second time nothing happens."""
        self._process.terminate()
        self._process.wait(timeout=10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body, method="PUT" if body else "GET"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())
