"""One run: a stack with objects in it, schemathesis over it, and what came of that."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from services.api.operations import OPERATIONS
from services.cli.embedded.datastores import Datastores
from tests.contract.configuration import configuration
from tests.contract.guarded_rows import keep_own_key
from tests.contract.own_network import require_loopback_only
from tests.contract.seeds import MODEL, plant
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import ROOT, Stack

_NO_QUOTAS = {
    f"APWA_QUOTA_{name}": "0"
    for name in ("KEY_REQUESTS_PER_MINUTE", "REQUESTS_PER_MINUTE", "CONCURRENT_JOBS",
                 "OPEN_STREAMS", "STORED_BYTES", "ROWS_PER_JOB", "SPEND_USD_PER_DAY")
}  # fmt: skip
_PATIENCE_S = 120.0
_PHASES = "examples,coverage,fuzzing,stateful"


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run found; `silent` operations were never seen to succeed."""

    exit_code: int
    operations: int
    calls: int
    statuses: dict[str, int]
    silent: list[str]

    @property
    def share(self) -> float:
        """Of operations with a 2xx, of all."""
        return 1 - len(self.silent) / self.operations

    def to_json(self) -> str:
        """Return it as one line."""
        return json.dumps(asdict(self))


def run(folder: Path, *, examples: int, seed: int, phases: str = _PHASES) -> Figures:
    """Test the document against a stack; schemathesis writes its report to standard output.

    In a process that `enter_own_network` took off every network, and nowhere else.
    """
    require_loopback_only()
    stores = Datastores(folder / "stores", durable=False)
    stores.start_postgres()
    try:
        with _started(folder, stores) as stack:
            return _fuzz(folder, stack, examples, seed, phases)
    finally:
        stores.stop()


@contextmanager
def _started(folder: Path, stores: Datastores) -> Iterator[Stack]:
    """Yield a running stack without a notifier: nothing shall be sent to made-up receivers."""
    for name in ("stack", "model"):
        (folder / name).mkdir()
    with FakeModel(folder / "model") as model:
        stack = Stack(
            folder / "stack", stores.create_database(),
            extra={"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-test",
                   "APWA_MODEL": MODEL, **_NO_QUOTAS},
        )  # fmt: skip
        try:
            for role in ("api", "planner", "collector", "worker"):
                stack.start(role)
            eventually(stack.is_ready, within=_PATIENCE_S)
            eventually(lambda: stack.scalar("SELECT count(*) FROM workers") > 0, within=_PATIENCE_S)
            yield stack
        finally:
            stack.stop()


def _fuzz(folder: Path, stack: Stack, examples: int, seed: int, phases: str) -> Figures:
    keep_own_key(stack)
    seeds = plant(stack)
    (folder / "seeds.json").write_text(seeds.to_json())
    (folder / "schemathesis.toml").write_text(
        configuration(seeds, key=stack.key, examples=examples, seed=seed)
    )
    ended = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run",
         f"http://127.0.0.1:{stack.api_port}/openapi.json", "--checks", "all", "--phases", phases],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    return _figures(ended.returncode, folder / "calls.jsonl")


def _figures(exit_code: int, journal: Path) -> Figures:
    calls = [json.loads(line) for line in journal.read_text().splitlines()]
    good = {one["operation"] for one in calls if one["own_method"] and one["status"] < 300}
    labels = [f"{one.method} {one.path}" for one in OPERATIONS]
    statuses = Counter(str(one["status"]) for one in calls)
    return Figures(
        exit_code=exit_code,
        operations=len(labels),
        calls=len(calls),
        statuses=dict(sorted(statuses.items())),
        silent=sorted(label for label in labels if label not in good),
    )
