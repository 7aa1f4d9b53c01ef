"""The client and its guide against the real stack."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest
from typer.testing import CliRunner

from apwa_client import AsyncClient, Client, Forbidden, Input
from services.cli.app import app as command_line
from tests.stack import ROOT, Stack

GOAL = "Redact all personal data"
GUIDE = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack]) -> Stack:
    return make_module_stack(APWA_STREAM_MAX_AGE_S="0.2", APWA_WEBHOOK_LOOPBACK="true").start_all(
        workers=1
    )


@pytest.fixture
def url(stack: Stack) -> str:
    return f"http://127.0.0.1:{stack.api_port}"


def test_every_snippet_of_the_guide_runs(
    stack: Stack, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tickets.csv").write_text("id,text\n1,ada@example.com\n2,late\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("APWA_API_URL", url)
    monkeypatch.setenv("APWA_API_KEY", stack.key)
    snippets = re.findall(r"^```python\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}

    for number, snippet in enumerate(snippets, 1):
        exec(compile(snippet, f"docs/client.md, snippet {number}", "exec"), names)  # noqa: S102

    assert len(snippets) > 8
    assert names["told"] == {
        "accepted": 1200, "duplicates": 0, "rejected": [], "rejected_total": 0,
    }  # fmt: skip


def test_rows_and_frames_come_back_as_rows_and_frames(stack: Stack, url: str) -> None:
    frame = pandas.DataFrame(
        {
            "id": range(3),
            "text": ["a@example.com", None, "late"],
            "at": pandas.to_datetime(["2026-01-02T03:04:05Z", None, "2026-01-02T03:04:06Z"]),
            "score": [0.5, float("nan"), 1.0],
        }
    )

    with Client(url, stack.key) as client:
        job = client.run(GOAL, {"tickets": Input(frame, key="id")}, timeout_s=60)
        found = job.to_pandas()
        events = list(job.events())

    assert job.status == "succeeded", job.data
    assert found["id"].tolist() == [0, 1, 2]
    assert found["text"].tolist()[::2] == ["[EMAIL_1]", "late"]
    assert found["text"].isna().tolist() == [False, True, False]
    assert found["at"].tolist()[::2] == ["2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"]
    assert pandas.to_datetime(found["at"]).equals(frame["at"])
    assert found["score"].isna().tolist() == [False, True, False]
    assert [event.type for event in events][:: len(events) - 1] == ["snapshot", "done"]
    ids = [int(event.id) for event in events if event.id]
    assert ids == sorted(ids)


def test_a_large_upload_is_told_and_both_twins_do_the_same(
    stack: Stack, url: str, tmp_path: Path
) -> None:
    file, seen = tmp_path / "tickets.csv", []
    file.write_text("id,text\n" + "".join(f"{n},u{n}@example.com\n" for n in range(40_000)))

    async def twin() -> list[dict[str, object]]:
        async with AsyncClient(url, stack.key) as client:
            stored = await client.tables.upload(
                file, name="tickets", progress=lambda sent, total: seen.append((sent, total))
            )
            assert stored["rows"] == 40_000
            job = await client.run(GOAL, {"few": [{"text": "a@example.com"}]})
            types = [event.type async for event in job.events()]
            assert types[-1] == "done"
            await client.tables.delete(stored["id"])
            return await job.to_list()

    rows = asyncio.run(twin())

    assert [row["text"] for row in rows] == ["[EMAIL_1]"]
    assert seen[0][0] == 0
    assert seen[-1] == (file.stat().st_size, file.stat().st_size)
    assert [sent for sent, _ in seen] == sorted(sent for sent, _ in seen)


def test_the_verbs_of_the_command_line_speak_through_the_client(
    stack: Stack, url: str, tmp_path: Path
) -> None:
    file, rows, plan_file = (tmp_path / name for name in ("t.csv", "rows.jsonl", "plan.json"))
    file.write_text("id,text\n1,ada@example.com\n2,late\n", encoding="utf-8")

    def apwa(*words: str) -> Any:
        environ = {"APWA_API_URL": url, "APWA_API_KEY": stack.key}
        done = CliRunner().invoke(command_line, words, env=environ)
        assert done.exit_code == 0, (words, done.output, done.exception)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    # given a job whose plan awaits a yes
    [table] = apwa("tables", "add", str(file), "--json")
    source = f"t={table['id']}"
    [estimate] = apwa("jobs", "estimate", GOAL, "-i", source, "--json")
    with Client(url, stack.key) as client:
        job = client.jobs.submit(GOAL, {"t": table["id"]}, approval="plan")
        job.wait(until="awaiting_approval", timeout_s=60)

        # when the plan is looked at, replaced and approved
        apwa("jobs", "edit", job.id, "--priority", "2", "--budget-usd", "1", "--label", "a=b")
        [plan] = apwa("plan", "show", job.id, "--json")
        plan_file.write_text(json.dumps(plan["plan"] | {"brief": "Be thorough."}))
        [newer] = apwa("plan", "put", job.id, plan["hash"], str(plan_file), "--json")
        apwa("plan", "approve", job.id, newer["hash"])
        job.wait(timeout_s=60)

    # then everything there is to see of it can be seen
    assert job.data["labels"] == {"a": "b"}
    assert estimate["plan"] == plan["plan"]
    assert (plan["version"], newer["version"]) == (1, 2)
    [stages] = apwa("jobs", "stages", job.id, "--json")
    stage = stages["items"][0]["name"]
    [subtasks] = apwa("jobs", "subtasks", job.id, "--stage", stage, "--json")
    assert [item["outcome"] for item in subtasks["items"]] == ["succeeded"] * 2
    [subtask] = apwa("jobs", "subtask", job.id, stage, "0")
    assert subtask["input"]["rows"][0]["text"] == "ada@example.com"
    assert apwa("jobs", "failures", job.id, "--json") == [{"items": []}]
    told = apwa("jobs", "events", job.id, "--follow")
    assert (told[0]["type"], told[-1]["type"]) == ("snapshot", "done")
    assert {one["type"] for one in apwa("jobs", "events", job.id)} < {one["type"] for one in told}
    apwa("jobs", "view-token", job.id, "--ttl-s", "60", "--json")
    apwa("jobs", "bundle", job.id, "-o", str(tmp_path / "job.zip"))
    assert (tmp_path / "job.zip").read_bytes().startswith(b"PK")
    apwa("tables", "rows", table["id"], "-o", str(rows))
    assert [json.loads(line)["id"] for line in rows.read_text().splitlines()] == [1, 2]
    assert apwa("api", "call", "get_job", f"job_id={job.id}")[0]["id"] == job.id
    for verb in ("live", "ready", "version", "models"):
        apwa("api", verb)
    apwa("api", "capabilities")
    apwa("jobs", "delete", job.id)
    apwa("tables", "delete", table["id"])


def test_receivers_are_managed_from_the_command_line(stack: Stack, url: str) -> None:
    environ = {"APWA_API_URL": url, "APWA_API_KEY": stack.key}

    def apwa(*words: str) -> Any:
        done = CliRunner().invoke(command_line, words, env=environ)
        assert done.exit_code == 0, (words, done.output, done.exception)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    where = "http://127.0.0.1:8099/hook"
    [made] = apwa("webhooks", "create", where, "--event", "job.finished", "--json")
    apwa("webhooks", "edit", made["id"], "--disable", "--description", "none yet")
    [shown] = apwa("webhooks", "show", made["id"])
    [rotated] = apwa("webhooks", "rotate", made["id"], "--overlap-s", "0", "--json")
    [secret] = apwa("webhooks", "secret", made["id"], "--json")
    [project] = apwa("webhooks", "secret", "--json")
    [found] = apwa("webhooks", "list", "--json")
    apwa("deliveries", "list", "--json")
    apwa("webhooks", "delete", made["id"])

    assert (shown["status"], shown["description"]) == ("disabled", "none yet")
    assert rotated["secret"] == secret["secret"] != made["secret"]
    assert project["secret"].startswith("whsec_")
    assert [one["id"] for one in found["items"]] == [made["id"]]


def test_keys_are_made_and_ended_through_the_api(stack: Stack, url: str) -> None:
    environ = {"APWA_API_URL": url, "APWA_API_KEY": stack.key}
    words = ["keys", "create", "--name", "dash", "--scopes", "viewer", "--json"]

    made = json.loads(CliRunner().invoke(command_line, words, env=environ).stdout)
    with Client(url, made["key"]) as viewer:
        seen = [job.id for job in viewer.jobs.list(limit=5)]
        with pytest.raises(Forbidden):
            viewer.jobs.submit(GOAL)
    with Client(url, stack.key) as client:
        client.api_keys.revoke(made["id"])
        statuses = {key["id"]: key["status"] for key in client.api_keys.list()}
        names = [project["name"] for project in client.projects.list()]
        spent = sum(group["cost_microusd"] for group in client.usage.groups("day"))
        entries = [entry["action"] for entry in client.usage.audit_log(limit=20)]

    assert seen
    assert statuses[made["id"]] == "revoked"
    assert "default" in names
    assert spent == 0
    assert entries
