"""The embedded stack: one command starts all of it, nothing outlives it, nobody else gets in."""

import json
import os
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from services.cli.demo_tickets import write_tickets
from services.cli.embedded.datastores import Datastores
from tests.eventually import eventually

ROOT = Path(__file__).parents[2]
HOLD_STORES = """
import sys, pathlib, time
from services.cli.embedded.datastores import Datastores
stores = Datastores(pathlib.Path(sys.argv[1]))
stores.start()
print(stores.postgres.process_id, stores.valkey.process_id, flush=True)
time.sleep(600)
"""
ROLES = {
    "postgres": 1, "redis": 1, "api": 1, "planner": 1, "collector": 1, "notifier": 1, "worker": 2,
}  # fmt: skip


class Up:
    """A running `apwa up --json` on a directory of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None

    def start(self, **environ: str) -> dict[str, Any]:
        """Start it and return the line it prints when all is ready."""
        with (self.folder.parent / "up.log").open("a") as log:
            self.process = subprocess.Popen(
                [*apwa("up"), "--dir", str(self.folder), "--workers", "2", "--port", "0", "--json"],
                cwd=ROOT,
                env={**os.environ, **environ},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder.parent / "up.log").read_text()
        return dict(json.loads(line))

    def stack(self) -> dict[str, Any]:
        """Return what stack.json says."""
        return dict(json.loads((self.folder / "stack.json").read_text()))

    def end(self, how: signal.Signals) -> None:
        """Send a signal and wait for the end."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(how)
        self.process.wait(40)
        self.process.stdout.close()
        self.process = None


def apwa(*words: str) -> list[str]:
    return [sys.executable, "-m", "services.cli", *words]


def run_apwa(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        apwa(*words), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def with_descendants(pids: dict[str, list[int]]) -> set[int]:
    """Return all processes of a stack, the children of its services included."""
    found = set()
    for pid in (pid for several in pids.values() for pid in several):
        found.add(pid)
        found |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
    return found


def alive(pids: set[int]) -> set[int]:
    """Return those that run; a zombie does not."""
    running = set()
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                running.add(pid)
        except psutil.NoSuchProcess:
            continue
    return running


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One directory whose stack the tests below start and end, in their order."""
    found = Up(tmp_path_factory.mktemp("up") / "stack")
    yield found
    if found.process:
        found.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def first(up: Up) -> dict[str, Any]:
    """What the first start printed."""
    return up.start()


def test_the_stores_want_a_password(stores: Datastores) -> None:
    open_database = stores.database_url.replace(
        stores.database_url.split(":")[2].split("@")[0], "x"
    )
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(open_database)

    nobody = redis.Redis(port=stores.valkey.port)
    with pytest.raises(redis.AuthenticationError):
        nobody.ping()
    nobody.close()


def test_redis_evicts_nothing_and_writes_what_it_is_told(stores: Datastores) -> None:
    client = redis.Redis.from_url(stores.redis_url)

    settings = client.config_get("maxmemory-policy") | client.config_get("appendonly")

    assert settings == {"maxmemory-policy": "noeviction", "appendonly": "yes"}
    client.close()


def test_each_database_is_empty_and_of_its_own(stores: Datastores) -> None:
    one, other = stores.create_database(), stores.create_database()
    with psycopg.connect(one) as connection:
        connection.execute("CREATE TABLE mine (id int)")

    with psycopg.connect(other) as connection:
        found = connection.execute("SELECT to_regclass('mine')").fetchone()

    assert one != other
    assert found == (None,)


def test_the_stores_end_with_a_killed_parent_and_keep_what_was_written(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", HOLD_STORES, str(tmp_path / "s")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pids = {int(pid) for pid in parent.stdout.readline().split()}
    assert len(alive(pids)) == 2
    remembered = json.loads((tmp_path / "s" / "datastores.json").read_text())
    address = f"postgresql://apwa:{remembered['postgres_password']}@127.0.0.1"
    with psycopg.connect(f"{address}:{remembered['postgres_port']}/apwa") as connection:
        connection.execute("CREATE TABLE kept (id int)")

    parent.kill()
    parent.wait(10)
    parent.stdout.close()

    eventually(lambda: not alive(pids), within=10)
    again = Datastores(tmp_path / "s")
    again.start()
    try:
        assert again.postgres.port == remembered["postgres_port"]
        with psycopg.connect(again.database_url) as connection:
            assert connection.execute("SELECT to_regclass('kept')").fetchone() == ("kept",)
    finally:
        again.stop()


def test_a_broken_file_of_redis_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    stores = Datastores(tmp_path / "s", durable=False)
    stores.start_valkey()
    client = redis.Redis.from_url(stores.redis_url)
    client.set("rung", "yes")
    client.close()
    stores.valkey.stop()
    for file in (tmp_path / "s" / "valkey" / "appendonlydir").iterdir():
        file.write_bytes(b"this is no append-only file")

    stores.start_valkey()

    client = redis.Redis.from_url(stores.redis_url)
    assert client.get("rung") is None
    client.close()
    stores.valkey.stop()


def test_ready_means_every_process_runs_and_the_file_says_the_same(
    up: Up, first: dict[str, Any]
) -> None:
    assert {role: len(first["pids"][role]) for role in ROLES} == ROLES
    assert first["pids"]["supervisor"] == [up.process and up.process.pid]
    assert alive({pid for pids in first["pids"].values() for pid in pids})
    assert first == up.stack()
    assert first["dashboard_url"] is None
    assert stat.S_IMODE((up.folder / "stack.json").stat().st_mode) == 0o600


def test_webhooks_may_go_to_this_machine_and_the_start_says_so(
    up: Up, first: dict[str, Any]
) -> None:
    request = urllib.request.Request(  # noqa: S310
        f"{first['api_url']}/v1/webhook-endpoints",
        data=json.dumps({"url": "http://127.0.0.1:9000/hook"}).encode(),
        headers={"Authorization": f"Bearer {first['api_key']}", "Content-Type": "application/json"},
    )

    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        made = json.load(answer)

    assert made["secret"].startswith("whsec_")
    assert "may go to receivers on this machine" in (up.folder.parent / "up.log").read_text()


def test_the_printed_key_opens_the_api(up: Up, first: dict[str, Any]) -> None:
    status = run_apwa("status", "--dir", str(up.folder), "--json")

    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["jobs"] == {}


def test_the_doctor_finds_nothing_wrong(up: Up, first: dict[str, Any]) -> None:
    told = run_apwa("doctor", "--dir", str(up.folder), "--json")

    checks = {check["name"]: check["state"] for check in json.loads(told.stdout)["checks"]}
    assert "wrong" not in checks.values(), told.stdout
    assert {"database", "schema", "redis", "api", "supervisor"} <= set(checks)


def test_a_second_instance_on_the_directory_is_told_who_owns_it(
    up: Up, first: dict[str, Any]
) -> None:
    second = run_apwa("up", "--dir", str(up.folder))

    assert second.returncode == 7
    assert str(first["pids"]["supervisor"][0]) in second.stderr
    assert "apwa down" in second.stderr
    assert alive(set(first["pids"]["api"]))


def test_a_new_key_can_be_made_beside_a_running_stack(up: Up, first: dict[str, Any]) -> None:
    made = run_apwa("keys", "create", "--name", "reader", "--scopes", "viewer",
                    "--dir", str(up.folder), "--json")  # fmt: skip

    answer = json.loads(made.stdout)
    assert answer["scopes"] == ["jobs:read", "tables:read"]
    assert answer["key"].startswith("apwa_")
    with psycopg.connect(first["database_url"]) as connection:
        stored = connection.execute(
            "SELECT key_hash FROM api_keys WHERE id = %s", [answer["id"]]
        ).fetchone()
    assert stored is not None
    assert answer["key"] not in stored[0]


def test_run_writes_the_result_and_exits_with_how_the_job_ended(
    up: Up, first: dict[str, Any], tmp_path: Path
) -> None:
    write_tickets(tmp_path / "tickets.csv", 40)
    goal, source = "Redact all personal data in the tickets", str(tmp_path / "tickets.csv")

    ended = run_apwa("run", goal, "-i", source, "--key", "id", "-o", str(tmp_path / "out.jsonl"),
                     "--json", "--dir", str(up.folder))  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    job = json.loads(ended.stdout)
    assert (job["status"], job["result"]["rows"]) == ("succeeded", 40)
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == list(range(1, 41))
    assert not any("@" in row["text"] for row in rows)


def test_run_says_why_a_job_failed_and_exits_with_one(
    up: Up, first: dict[str, Any], tmp_path: Path
) -> None:
    write_tickets(tmp_path / "tickets.csv", 3)

    ended = run_apwa("run", "Bake a cake of them", "-i", str(tmp_path / "tickets.csv"),
                     "--dir", str(up.folder))  # fmt: skip

    assert ended.returncode == 1, ended.stderr
    assert "failed" in ended.stdout
    assert "redact" in ended.stdout.lower(), "it names what can be done instead"


def test_what_the_api_refuses_is_told_with_its_pointer_and_exits_with_six(
    up: Up, first: dict[str, Any], tmp_path: Path
) -> None:
    write_tickets(tmp_path / "tickets.csv", 3)
    plan = {"version": 1, "stages": [{"name": "out", "over": "tickets", "unit": {"rows": 1},
            "capability": "redact", "params": {"field": "nowhere"}}],
            "result": {"table": "out"}, "then": "finish"}  # fmt: skip
    (tmp_path / "plan.json").write_text(json.dumps(plan))

    ended = run_apwa("run", "--plan", str(tmp_path / "plan.json"),
                     "-i", str(tmp_path / "tickets.csv"), "--dir", str(up.folder))  # fmt: skip

    assert ended.returncode == 6, ended.stderr
    assert "/plan/stages/0/params/field" in ended.stderr


@pytest.mark.parametrize("role", ["worker", "planner", "collector", "api", "redis", "postgres"])
def test_a_killed_process_is_replaced_and_the_file_stays_true(
    up: Up, first: dict[str, Any], role: str
) -> None:
    before = up.stack()["pids"]

    os.kill(before[role][0], signal.SIGKILL)

    def replaced() -> bool:
        now = up.stack()["pids"]
        same_others = now["supervisor"] == before["supervisor"]
        return (
            same_others
            and len(now[role]) == ROLES[role]
            and before[role][0] not in now[role]
            and len(alive(set(now[role]))) == ROLES[role]
        )

    eventually(replaced, within=20)


def test_killing_it_leaves_no_orphan_and_the_next_start_is_the_same_stack(
    up: Up, first: dict[str, Any]
) -> None:
    all_of_it = with_descendants(up.stack()["pids"])
    assert len(all_of_it) > sum(ROLES.values())

    up.end(signal.SIGKILL)

    eventually(lambda: not alive(all_of_it), within=15)
    second = up.start()
    same = ("api_url", "api_key", "database_url", "redis_url")
    assert {name: second[name] for name in same} == {name: first[name] for name in same}


def test_down_stops_everything_and_removes_the_file(up: Up, first: dict[str, Any]) -> None:
    all_of_it = with_descendants(up.stack()["pids"])

    told = run_apwa("down", "--dir", str(up.folder))

    assert told.returncode == 0, told.stderr
    assert up.process is not None
    up.process.wait(10)
    assert not alive(all_of_it - {up.process.pid})
    assert not (up.folder / "stack.json").exists()
    assert run_apwa("status", "--dir", str(up.folder)).returncode == 5


def test_with_stores_of_ones_own_nothing_is_embedded(stores: Datastores, tmp_path: Path) -> None:
    up, database_url = Up(tmp_path / "stack"), stores.create_database()

    stack = up.start(APWA_DATABASE_URL=database_url, APWA_REDIS_URL=stores.redis_url)
    up.end(signal.SIGTERM)

    assert (stack["pids"]["postgres"], stack["pids"]["redis"]) == ([], [])
    assert stack["database_url"] == database_url
    assert not (up.folder / "postgres").exists()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM workers").fetchone() == (2,)


def test_a_store_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*apwa("up"), "--dir", str(tmp_path / "stack")],
        cwd=ROOT,
        env={
            **os.environ,
            "APWA_DATABASE_URL": "postgresql://apwa:s3cret@127.0.0.1:1/apwa",
            "APWA_REDIS_URL": "redis://127.0.0.1:1/0",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 5
    assert "APWA_DATABASE_URL" in ended.stderr
    assert "s3cret" not in ended.stderr
