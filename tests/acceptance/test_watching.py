"""Watching a job from outside, and taking its record away: streams, tokens, subtasks, bundles."""

import json
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli.embedded.ports import choose_port
from services.cli.replay.replay_bundle import replay_bundle
from shared.database import retention
from shared.database.engine import connect
from tests.acceptance.event_reader import EventReader, Told
from tests.acceptance.forged_bundle import (
    cheaper,
    first_label,
    forged,
    no_label,
    one_less,
    places,
    twice,
)
from tests.acceptance.model_work.test_model_work import OUTPUT, llm_plan, tickets
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import ROOT, Stack

CUTS, ROWS, STREAMS = 20, 10_000, 3
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
REDACT: dict[str, Any] = {
    "version": 1,
    "stages": [
        {"name": "clean", "over": "tickets", "unit": {"rows": 1}, "capability": "redact",
         "params": {"field": "text"}},
    ],
    "result": {"table": "clean"},
}  # fmt: skip
FEED = """SELECT seq FROM events WHERE job_id = %s UNION ALL
  SELECT event_no FROM shards WHERE job_id = %s AND event_no IS NOT NULL ORDER BY 1"""
LABELLED = 40
LABELS: dict[str, Any] = {
    "version": 1,
    "brief": "Labels are short.",
    "stages": [
        {"name": "labels", "over": "tickets", "unit": {"rows": 1}, "capability": "llm",
         "template": {"instructions": "Label the ticket.", "input": "{{ text }}"},
         "output": OUTPUT, "keep": ["kind", "text"], "retries": 0},
        {"name": "kinds", "over": "labels", "unit": {"group_by": ["kind"]}, "capability": "llm",
         "template": {"instructions": "Say it in short.", "input": "{{ rows.text }}"},
         "output": OUTPUT},
        {"name": "counted", "over": ["kinds", "labels"], "unit": {"table": True},
         "capability": "sql",
         "params": {"query": "SELECT kinds.kind, kinds.label, count(*) AS n FROM labels "
                    "JOIN kinds ON kinds.kind = labels.kind GROUP BY 1, 2 ORDER BY 1"}},
    ],
    "result": {"table": "counted"},
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("model"), keep_requests=True) as made:
        yield made


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], model: FakeModel) -> Stack:
    return make_module_stack(
        OPENAI_BASE_URL=model.base_url, OPENAI_API_KEY="sk-test", APWA_MODEL="fake",
        APWA_SHARD_SIZE="50", APWA_API_STREAMS=str(STREAMS), APWA_API_STREAM_POLL_S="0.1",
        APWA_API_STREAM_HEARTBEAT_S="0.3", APWA_LOG_LEVEL="DEBUG",
    ).start_all(workers=2)  # fmt: skip


def events_path(job_id: str) -> str:
    return f"/v1/jobs/{job_id}/events"


def rows(count: int) -> dict[str, Any]:
    return {"rows": [{"id": n, "text": f"Write to a{n}@example.com"} for n in range(count)]}


def waiting_job(stack: Stack) -> str:
    """A job that is not final, and to which nothing happens."""
    job_id = stack.submit({"plan": REDACT, "inputs": {"tickets": rows(2)}, "approval": "plan"})
    eventually(lambda: stack.get(f"/v1/jobs/{job_id}").json["status"] == "awaiting_approval")
    return job_id


def test_a_client_cut_off_twenty_times_sees_every_event_once_and_in_order(stack: Stack) -> None:
    # given a job of ten thousand rows, and one client that is never cut off
    job_id = stack.submit({"plan": REDACT, "inputs": {"tickets": rows(ROWS)}})
    steady: list[Told] = []
    other = threading.Thread(
        target=lambda: steady.extend(EventReader(stack, events_path(job_id)).read())
    )
    other.start()

    # when another is cut off twenty times, each time a few events on, or in the middle of one
    seen: list[Told] = []
    firsts: list[str] = []
    after = None
    for cut in range(CUTS + 1):
        reader = EventReader(stack, events_path(job_id), after)
        for nth, event in enumerate(reader.read()):
            if nth == 0:
                firsts.append(event.name)
            if event.id is not None:
                seen.append(event)
                after = event.id
            if cut < CUTS and nth >= cut % 7:
                break
        if cut < CUTS:
            assert not seen or seen[-1].name != "job.finished", "it was over before it was cut"
            reader.cut()
    other.join(30)

    # then it saw every event of the job, and every shard, once and in order
    numbers = [int(event.id or 0) for event in seen]
    assert numbers == [number for (number,) in stack.rows(FEED, job_id, job_id)]
    shards = [event for event in seen if event.name == "shard.done"]
    assert len(shards) == stack.scalar(
        "SELECT count(*) FROM shards WHERE job_id = %s AND status = 'done'", job_id
    )
    assert sum(event.data["data"]["succeeded"] for event in shards) == ROWS
    assert firsts == ["snapshot"] * (CUTS + 1)

    # and the same as the one that was not cut off, whose stream said when it was over
    assert [event.id for event in steady if event.id] == [event.id for event in seen]
    assert [steady[0].name, steady[-1].name] == ["snapshot", "done"]
    assert steady[-1].data["job"]["status"] == "succeeded"
    page = stack.get(f"{events_path(job_id)}?limit=1000").json["items"]
    told = [event.data for event in steady if event.id and event.name != "shard.done"]
    assert told == page


def test_a_silent_stream_shows_that_it_lives_and_a_full_house_says_so(stack: Stack) -> None:
    job_id = waiting_job(stack)
    readers = [EventReader(stack, events_path(job_id)) for _ in range(STREAMS)]
    first = readers[0].read()
    assert next(first).data["job"]["status"] == "awaiting_approval"
    assert next(first).name == "job.accepted"

    # one more is refused, while everything else is answered
    late = EventReader(stack, events_path(job_id))
    refused = late.answer
    assert (refused.status, refused.headers["Retry-After"]) == (429, "10")
    assert json.loads(refused.read())["code"] == "too_many_open_streams"
    late.close()
    assert stack.get("/readyz").status == 200
    page = stack.request("GET", events_path(job_id), headers={"Accept": "application/json"})
    assert page.status == 200

    # when two are cut off their places are free
    for reader in readers[1:]:
        reader.cut()

    def taken() -> list[EventReader]:
        reader = EventReader(stack, events_path(job_id))
        if reader.answer.status == 200:
            return [reader]
        reader.close()
        return []

    [late] = eventually(taken, within=5)
    eventually(lambda: "alive" in stack_line(readers[0]), within=5)

    # and when the job ends so does the stream
    assert stack.post(f"/v1/jobs/{job_id}/cancel").status == 202
    assert [event.name for event in late.read()][-1] == "done"
    readers[0].cut()


def stack_line(reader: EventReader) -> str:
    return reader.answer.readline().decode()


def test_a_stream_ends_cleanly_when_its_process_stops(stack: Stack) -> None:
    port = choose_port(None)
    stack.start("api", APWA_API_PORT=str(port))
    job_id = waiting_job(stack)

    def opened() -> list[EventReader]:
        try:
            return [EventReader(stack, events_path(job_id), port=port)]
        except OSError:
            return []

    [reader] = eventually(opened, within=30)
    told = reader.read()
    assert next(told).name == "snapshot"

    process = stack.processes["api"].pop()
    process.send_signal(signal.SIGTERM)

    rest = [event.name for event in told]  # ends without an error: the last chunk was sent
    assert rest[0] == "job.accepted"
    assert "done" not in rest
    assert process.wait(10) == 0


def test_a_view_token_opens_its_job_and_nothing_else(stack: Stack) -> None:
    # given a token of one of two jobs
    job_id, other = waiting_job(stack), waiting_job(stack)
    made = stack.post(f"/v1/jobs/{job_id}/view-tokens", {"ttl_s": 60})
    assert (made.status, made.headers["Cache-Control"]) == (201, "no-store")
    token = made.json["token"]

    def look(path: str, given: str = token, method: str = "GET") -> Any:
        return stack.request(method, f"{path}?token={given}", headers={"Authorization": ""})

    # then it opens job, events and results of that one, to a reader without a key
    for part in ("", "/events", "/results"):
        opened = look(f"/v1/jobs/{job_id}{part}")
        assert opened.status == 200, (part, opened.body)
        assert opened.headers["Referrer-Policy"] == "no-referrer"
        assert opened.headers["Cache-Control"] == "no-store"
    streamed = EventReader(stack, f"{events_path(job_id)}?token={token}", key=False)
    assert next(streamed.read()).name == "snapshot"
    streamed.cut()

    # and nothing else: not the other job, no other part, no other method, no list
    missing = stack.get("/v1/jobs/job_01j00000000000000000000000").json
    for part in ("", "/events", "/results"):
        refused = look(f"/v1/jobs/{other}{part}")
        assert refused.status == 404
        assert {**refused.json, "request_id": ""} == {**missing, "request_id": ""}
    for part in ("/plan", "/stages", "/subtasks", "/failures", "/bundle"):
        assert look(f"/v1/jobs/{job_id}{part}").status == 401, part
    assert look("/v1/jobs").status == 401
    assert look(f"/v1/jobs/{job_id}/cancel", method="POST").status == 401
    assert look(f"/v1/jobs/{job_id}", given="apwv_" + "x" * 43).status == 401

    # nor is it stored, or logged, by whom it was shown to
    assert stack.scalar("SELECT count(*) FROM view_tokens WHERE token_hash = %s", token) == 0
    assert token not in stack.logs("api")

    # it ends with its time, and with the job
    late = stack.post(f"/v1/jobs/{job_id}/view-tokens").json["token"]
    stack.rows("UPDATE view_tokens SET expires_at = now() WHERE id = %s", made.json["id"])
    assert look(f"/v1/jobs/{job_id}").status == 401
    assert look(f"/v1/jobs/{job_id}", given=late).status == 200
    assert stack.post(f"/v1/jobs/{job_id}/cancel").status == 202
    stack.wait(job_id)
    assert stack.request("DELETE", f"/v1/jobs/{job_id}").status == 202
    assert look(f"/v1/jobs/{job_id}", given=late).status == 401
    assert stack.scalar("SELECT count(*) FROM view_tokens WHERE job_id = %s", job_id) == 0


def test_a_subtask_is_shown_with_its_prompt_its_tries_and_its_raw_answers(
    stack: Stack, model: FakeModel
) -> None:
    # given a job in which one unit was asked several times and came to nothing
    model.forget()
    inputs = tickets(3)
    inputs["tickets"]["rows"][1]["text"] += " FAULT:schema"
    trace = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-Id": "seen-again-1"}
    made = stack.post("/v1/jobs", {"plan": llm_plan(retries=0), "inputs": inputs}, **trace)
    job_id = made.json["id"]
    assert stack.wait(job_id)["status"] == "partial"

    # then the one that went well shows what the model was shown
    good = stack.get(f"/v1/jobs/{job_id}/subtasks/labels/0").json
    assert (good["state"], good["outcome"], good["error"]) == ("settled", "succeeded", None)
    assert good["input"]["rows"] == [inputs["tickets"]["rows"][0]]
    [asked] = [call for call in model.calls() if call.own_markers == ["MARK-00000"]]
    assert asked.request is not None
    sent = [message["content"] for message in asked.request["messages"]]
    assert [good["prompt"]["system"], good["prompt"]["user"]] == sent
    assert good["output"] == [{"id": 0, "label": good["output"][0]["label"]}]
    assert [(one["number"], one["raw_status"]) for one in good["attempts"]] == [(1, "none")]
    assert good["lineage"]["sources"][0]["rows"] == [[0, 1]]
    assert good["provenance"]["capability"] == "llm"
    assert len(good["provenance"]["unit_hash"]) == 64
    assert good["usage"]["calls"] == 1

    # and the other what the model said
    bad = stack.get(f"/v1/jobs/{job_id}/subtasks/labels/1").json
    assert (bad["outcome"], bad["output"]) == ("invalid", None)
    assert bad["attempts"][-1]["raw_status"] == "kept"
    assert bad["attempts"][-1]["raw"]

    # until that is past its time
    engine = connect(stack.settings.sqlalchemy_url, pool_size=1, application_name="apwa-tests")
    with engine.begin() as tx:
        assert retention.forget_raw(tx, 0.0, 100) > 0
    engine.dispose()
    erased = stack.get(f"/v1/jobs/{job_id}/subtasks/labels/1").json["attempts"][-1]
    assert (erased["raw_status"], erased["raw"]) == ("erased", None)
    for path in ("labels/3", "labels/x", "labels/-1", "other/0"):
        assert stack.get(f"/v1/jobs/{job_id}/subtasks/{path}").status == 404, path

    # and every service tells on whose behalf it worked
    for role, told in (("planner", "planned"), ("worker", "shard_claimed"),
                       ("collector", "job_finished"), ("api", "request")):  # fmt: skip
        assert {"trace_id": TRACE, "request_id": "seen-again-1"}.items() <= line_of(
            stack, role, told
        ).items(), role


def line_of(stack: Stack, role: str, event: str) -> dict[str, Any]:
    """The last line of a service about the request above."""
    written = [line for line in stack.logs(role).splitlines() if line.startswith("{")]
    lines: list[dict[str, Any]] = [json.loads(line) for line in written]
    return [
        line for line in lines
        if line.get("event") == event and line.get("request_id") == "seen-again-1"
    ][-1]  # fmt: skip


@pytest.fixture(scope="module")
def job(stack: Stack) -> dict[str, Any]:
    """A final job with failures of two kinds, groups, and a stage without a model."""
    inputs = tickets(LABELLED)
    for row in inputs["tickets"]["rows"]:
        row["kind"] = "ab"[row["id"] % 2]
    for unit, fault in ((3, "schema"), (17, "refusal"), (31, "schema")):
        inputs["tickets"]["rows"][unit]["text"] += f" FAULT:{fault}"
    done = stack.wait(stack.submit({"goal": "Label them", "plan": LABELS, "inputs": inputs}))
    assert done["status"] == "partial", done
    return done


@pytest.fixture(scope="module")
def archive(stack: Stack, job: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    answer = stack.get(f"/v1/jobs/{job['id']}/bundle")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
    path = tmp_path_factory.mktemp("bundle") / "bundle.zip"
    path.write_bytes(answer.body)
    return path


@pytest.fixture
def offline(archive: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle; whoever opens a connection while it is replayed fails the test."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a replay opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refused)
    return archive


def lines(path: Path, name: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(path) as file:
        return [json.loads(line) for line in file.read(name).splitlines()]


def test_an_unchanged_bundle_gives_the_record_again(
    job: dict[str, Any], offline: Path, tmp_path: Path
) -> None:
    collected = tmp_path / "result.jsonl"
    with collected.open("wb") as file:
        report = replay_bundle(offline, file.write)

    assert report.findings == []
    assert (report.job, report.status) == (job["id"], "partial")
    for stage in report.stages:
        counts = {name: stage[name] for name in job["coverage"]["stages"][stage["stage"]]}
        assert counts == job["coverage"]["stages"][stage["stage"]]
    rows = [json.loads(line) for line in collected.read_bytes().splitlines()]
    assert rows == lines(offline, "result.jsonl")
    assert len(rows) == job["result"]["rows"] == 2


def test_it_holds_goal_plan_prompts_raw_answers_outputs_and_costs(
    job: dict[str, Any], archive: Path
) -> None:
    with zipfile.ZipFile(archive) as file:
        record = json.loads(file.read("job.json"))
        plan = json.loads(file.read("plans/1.json"))
        stage = json.loads(file.read("stages/000-labels/stage.json"))
    assert record["job"]["goal"] == "Label them"
    assert record["costs"]["total"]["calls"] == job["usage"]["calls"] > LABELLED
    assert plan["hash"] == job["plan"]["hash"]
    assert "Label the ticket." in stage["prompts"]["system"]
    prompts = lines(archive, "stages/000-labels/prompts.jsonl")
    assert [one["unit"] for one in prompts] == list(range(LABELLED))
    assert all(f"MARK-{one['unit']:05d}" in one["user"] for one in prompts)
    assert all("MARK-" in one["user"] for one in lines(archive, "stages/001-kinds/prompts.jsonl"))
    tried = lines(archive, "stages/000-labels/attempts.jsonl")
    assert {one["unit"]: bool(one["raw"]) for one in tried if one["outcome"] == "invalid"} == {
        3: True, 31: True,
    }  # fmt: skip
    units = lines(archive, "stages/000-labels/units.jsonl")
    assert len(units) == LABELLED
    assert sum(one["outcome"] == "succeeded" for one in units) == LABELLED - 3


def test_the_command_line_replays_it_knowing_no_store_and_no_endpoint(archive: Path) -> None:
    command = [sys.executable, "-m", "services.cli", "replay", str(archive), "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)
    report = json.loads(ended.stdout)
    assert (ended.returncode, report["sound"]) == (0, True), ended.stderr
    with zipfile.ZipFile(archive) as file:
        assert report["hash"] == json.loads(file.read("manifest.json"))["sha256"]


def test_any_changed_byte_makes_the_replay_fail(offline: Path, tmp_path: Path) -> None:
    content = offline.read_bytes()
    for place in places(content):
        for flip in (0x01, 0x80):
            changed = bytearray(content)
            changed[place] ^= flip
            path = tmp_path / "changed.zip"
            path.write_bytes(changed)
            assert not replay_bundle(path).sound, (place, flip)
    for cut in (content[:-1], content[1:], content + b"\0", content[: len(content) // 2], b""):
        (tmp_path / "cut.zip").write_bytes(cut)
        assert not replay_bundle(tmp_path / "cut.zip").sound


def test_the_command_line_says_where_it_was_changed(archive: Path, tmp_path: Path) -> None:
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        info = file.getinfo("stages/000-labels/units.jsonl")
    content[info.header_offset + 100] ^= 0x10
    path = tmp_path / "changed.zip"
    path.write_bytes(content)

    command = [sys.executable, "-m", "services.cli", "replay", str(path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)

    assert ended.returncode == 1
    assert b"stages/000-labels/units.jsonl" in ended.stderr
    assert b"is not what it says" in ended.stdout


@pytest.mark.parametrize(
    ("name", "change", "what"),
    [
        ("stages/000-labels/units.jsonl", first_label, "not those of its units"),
        ("stages/000-labels/units.jsonl", no_label, "output is not valid"),
        ("stages/000-labels/units.jsonl", one_less, "a recount finds"),
        ("stages/000-labels/units.jsonl", twice, "there twice"),
        ("stages/000-labels/units.jsonl", cheaper, "usage.calls"),
        ("stages/000-labels/prompts.jsonl", one_less, "a recount finds"),
        ("plans/1.json", lambda told: told[0]["document"].update(brief="Other"), "hash"),
        ("job.json", lambda told: told[0]["job"].update(status="succeeded"), "status"),
        ("job.json", lambda told: told[0]["failures"].pop(), "failures"),
        ("events.jsonl", twice, "there twice"),
        ("result.jsonl", lambda told: told.reverse(), "what the units of the result add up to"),
        ("stages/000-labels/stage.json", lambda told: told[0].pop("spec"), "cannot be read"),
    ],
)
def test_a_forged_part_does_not_fit_the_others(
    archive: Path, tmp_path: Path, name: str, change: Callable[[list[Any]], Any], what: str
) -> None:
    report = forged(archive, tmp_path / "forged.zip", name, change)
    assert any(what in finding.what for finding in report.findings), report.findings


def test_a_bundle_written_again_unchanged_is_sound(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "again.zip"
    assert forged(archive, path, "", lambda told: None).sound
    assert path.read_bytes() == archive.read_bytes()
