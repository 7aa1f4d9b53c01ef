"""The real services on a database and a Valkey of their own, to be killed by pid."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis

from services.cli.embedded.ports import choose_port
from services.cli.embedded.valkey_server import ValkeyServer
from services.cli.first_key import first_key
from services.cli.migrate import migrate
from shared.settings import Settings, load_settings
from tests.eventually import eventually

ROOT = Path(__file__).parents[1]
FAST = {
    "APWA_LEASE_S": "3",
    "APWA_HEARTBEAT_S": "0.5",
    "APWA_PLANNER_POLL_S": "0.2",
    "APWA_DISPATCH_POLL_S": "0.1",
    "APWA_COLLECTOR_POLL_S": "0.2",
    "APWA_RESCUE_POLL_S": "0.2",
    "APWA_REDISPATCH_S": "2",
    "APWA_WORKER_IDLE_CLAIM_S": "2",
    "APWA_WORKER_PROCESSES": "1",
    "APWA_STOP_GRACE_S": "3",
}


SECRET_KEY = "a key of the tests which seals nothing of anybody"


@dataclass
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


@dataclass
class Stack:
    """Started services; `processes` maps a role to its running processes."""

    folder: Path
    database_url: str
    extra: dict[str, str] = field(default_factory=dict)
    processes: dict[str, list[subprocess.Popen[bytes]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.valkey = ValkeyServer(self.folder / "valkey", self.folder / "valkey.log", "secret")
        self.valkey.start(choose_port(None))
        self.api_port = choose_port(None)
        self.environ = {
            "APWA_DATABASE_URL": self.database_url,
            "APWA_REDIS_URL": self.valkey.url(),
            "APWA_SECRET_KEYS": SECRET_KEY,
            "APWA_API_PORT": str(self.api_port),
            **FAST,
            **self.extra,
        }
        self.settings: Settings = load_settings(self.environ)
        migrate(self.settings)
        self.key = first_key(self.settings, None)

    def start(self, role: str, count: int = 1, **extra: str) -> None:
        """Start `count` processes of a service."""
        for _ in range(count):
            number = len(self.processes.setdefault(role, []))
            log = (self.folder / f"{role}-{number}-{time.monotonic_ns()}.log").open("wb")
            with log:
                process = subprocess.Popen(
                    [sys.executable, "-m", f"services.{role}"],
                    cwd=ROOT,
                    env={**os.environ, **self.environ, **extra},
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self.processes[role].append(process)

    def start_all(self, workers: int = 2) -> "Stack":
        """Start every service and wait until the API says ready."""
        self.start("api")
        self.start("planner")
        self.start("collector")
        self.start("notifier")
        self.start("worker", workers)
        eventually(self.is_ready, within=90)
        eventually(lambda: self.scalar("SELECT count(*) FROM workers") >= workers, within=90)
        return self

    def is_ready(self) -> bool:
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def kill(self, role: str, index: int = 0) -> None:
        """kill -9 one process and remember it is gone."""
        process = self.processes[role].pop(index)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        """End everything that was started here."""
        for processes in self.processes.values():
            for process in processes:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
        self.valkey.stop()

    def logs(self, role: str) -> str:
        """Return what the processes of a role wrote so far."""
        return "".join(path.read_text() for path in sorted(self.folder.glob(f"{role}-*.log")))

    def redis(self) -> "redis.Redis":
        return redis.Redis.from_url(self.valkey.url(), socket_timeout=5)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement on the stack's database and return its rows."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            found = connection.execute(sql, values)  # type: ignore[arg-type]
            return found.fetchall() if found.description else []

    def scalar(self, sql: str, *values: Any) -> Any:
        return self.rows(sql, *values)[0][0]

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send one request with the stack's key; HTTP errors are answers too."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api_port}{path}",
            data=data,
            method=method,
            headers={
                "Authorization": f"Bearer {self.key}",
                **({"Content-Type": "application/json"} if body is not None else {}),
                **(headers or {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.request("POST", path, body, headers or None)

    def submit(self, job: dict[str, Any]) -> str:
        """Post a job and return its id."""
        answer = self.post("/v1/jobs", job)
        assert answer.status == 202, answer.body.decode()
        return str(answer.json["id"])

    def wait(self, job_id: str, within: float = 60.0) -> dict[str, Any]:
        """Return the job once it is final."""

        def final() -> dict[str, Any] | None:
            job: dict[str, Any] = self.get(f"/v1/jobs/{job_id}?wait=2").json
            return job if job.get("finished_at") else None

        return eventually(final, within=within)

    def results(self, job_id: str, query: str = "") -> list[dict[str, Any]]:
        """Return the result rows."""
        answer = self.get(f"/v1/jobs/{job_id}/results?format=jsonl{query}")
        assert answer.status == 200, answer.body.decode()
        return answer.lines
