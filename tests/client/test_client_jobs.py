"""A job in hand: waited for, steered, and read to its last row."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from apwa_client import ApiUnreachable, Job, NoResult, WaitTimeout
from tests.client.fake_api import FakeApi, job, problem, stream, told

LINES = "application/jsonl"
CUT = httpx2.ReadError("cut off")
PLAN: Any = {"version": 2, "hash": "abc", "plan": {}}


def job_of(api: FakeApi, status: str = "running", **more: Any) -> Job:
    return Job(api.client(), job(status, **more))  # type: ignore[arg-type]


def test_waiting_asks_until_the_job_is_final() -> None:
    seen = []
    api = FakeApi(told(job("planning")), told(job("running")), told(job("partial"), ETag='"3-x"'))

    ended = job_of(api).wait(on_update=lambda one: seen.append(one.status))

    assert ended.is_final
    assert (ended.status, ended.etag) == ("partial", '"3-x"')
    assert seen == ["planning", "running", "partial"]
    assert set(api.targets) == {"GET /v1/jobs/job_1?wait=30"}


def test_waiting_may_end_at_another_state() -> None:
    api = FakeApi(told(job("planning")), told(job("awaiting_approval")))

    assert job_of(api).wait(until="awaiting_approval").status == "awaiting_approval"


def test_waiting_ends_when_the_time_is_over() -> None:
    with pytest.raises(WaitTimeout, match="job_1 is running"):
        job_of(FakeApi(told(job("running")))).wait(timeout_s=0)


def test_run_submits_and_waits() -> None:
    api = FakeApi(told(job("queued"), 202), told(job("succeeded")))

    ended = api.client().run("Redact it", {"t": [{"a": 1}]}, labels={"customer": "42"})

    assert ended.status == "succeeded"
    assert json.loads(api.requests[0].content) == {
        "goal": "Redact it", "labels": {"customer": "42"}, "inputs": {"t": {"rows": [{"a": 1}]}},
    }  # fmt: skip


def test_a_plan_is_approved_by_its_hash() -> None:
    api = FakeApi(told(job("running"), 202))

    job_of(api, "awaiting_approval").approve(PLAN)

    assert api.targets == ["POST /v1/jobs/job_1/plan/approve"]
    assert api.sent("If-Match") == ['"abc"']


def test_an_edit_is_made_for_what_was_read() -> None:
    api = FakeApi(told(job(), ETag='"1-a"'), told(job(), ETag='"2-b"'), told(job(), ETag='"3-c"'))
    mine = job_of(api)

    mine.edit(budget={"usd": 5})
    mine.edit(priority=1)

    assert api.targets == ["GET /v1/jobs/job_1", *["PATCH /v1/jobs/job_1"] * 2]
    assert api.sent("If-Match") == [None, '"1-a"', '"2-b"']


def test_a_retry_is_another_job() -> None:
    api = FakeApi(told(job("queued") | {"id": "job_2"}, 202))

    again = job_of(api, "partial").retry(error_code="refused", model="large")

    assert again.id == "job_2"
    assert json.loads(api.requests[0].content) == {
        "select": {"error_code": "refused"}, "overrides": {"model": "large"},
    }  # fmt: skip


def test_results_come_line_by_line_whatever_the_pieces() -> None:
    raw = '{"t": "a\u2028b"}\n{"t": "ü"}\n{"t": "last"}'.encode()
    api = FakeApi(stream(*(raw[at : at + 3] for at in range(0, len(raw), 3)), kind=LINES))

    rows = list(job_of(api, "succeeded").results(outcome="all", include=["lineage", "input"]))

    assert [row["t"] for row in rows] == ["a\u2028b", "ü", "last"]
    assert "outcome=all&include=lineage%2Cinput" in api.targets[0]


def test_results_of_a_final_job_go_on_after_a_cut() -> None:
    api = FakeApi(
        stream(b'{"n":1}\n{"n":2}\n{"n', CUT, kind=LINES),
        problem(503, "unavailable"),
        stream(b'{"n":1}\n{"n":2}\n{"n":3}\n', kind=LINES),
    )

    assert [row["n"] for row in job_of(api, "succeeded").results()] == [1, 2, 3]


def test_results_of_a_running_job_are_not_guessed_after_a_cut() -> None:
    api = FakeApi(stream(b'{"n":1}\n', CUT, kind=LINES))
    rows = job_of(api, "running").results()

    assert next(rows) == {"n": 1}
    with pytest.raises(ApiUnreachable):
        next(rows)


def test_a_download_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    broken = FakeApi(stream(b"a,b\n", CUT, kind="text/csv"))
    whole = FakeApi(stream(b"a,b\n", b"1,2\n", kind="text/csv"))
    target = tmp_path / "out.csv"

    with pytest.raises(ApiUnreachable):
        job_of(broken).download(target)
    assert list(tmp_path.iterdir()) == []
    assert job_of(whole).download(target) == 8
    assert target.read_bytes() == b"a,b\n1,2\n"
    assert whole.targets == ["GET /v1/jobs/job_1/results?format=csv"]


def test_a_file_without_a_telling_end_needs_a_format(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tells no format"):
        job_of(FakeApi(told({}))).download(tmp_path / "out.bin")


def test_a_job_without_a_result_says_so() -> None:
    mine = job_of(FakeApi(told({})), "failed", error={"code": "no_plan"})

    with pytest.raises(NoResult, match="no_plan"):
        mine.to_pandas()


def test_a_result_becomes_a_frame_with_the_declared_types() -> None:
    columns = [
        {"name": "id", "type": "integer"}, {"name": "score", "type": "number"},
        {"name": "count", "type": "integer"}, {"name": "ok", "type": "boolean"},
        {"name": "at", "type": "timestamp"}, {"name": "day", "type": "date"},
        {"name": "text", "type": "string"}, {"name": "more", "type": "json"},
    ]  # fmt: skip
    rows = [
        {"id": 1, "score": 1, "count": 7, "ok": True, "at": "2026-01-02T03:04:05Z",
         "day": "2026-01-02", "text": "a", "more": {"x": [1]}},
        {"id": 2, "score": None, "count": None, "ok": None, "at": "2026-01-02T03:04:05.25Z",
         "day": None, "text": None, "more": None},
    ]  # fmt: skip
    lines = "\n".join(map(json.dumps, rows)).encode()
    result = {"table": "tbl_1", "rows": 2, "columns": columns}
    api = FakeApi(stream(lines, kind=LINES))

    frame = job_of(api, "succeeded", result=result).to_pandas()

    assert list(frame.columns) == [column["name"] for column in columns]
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert (kinds["id"], kinds["count"], kinds["ok"]) == ("int64", "Int64", "boolean")
    assert kinds["score"] in ("float64", "Float64")
    assert "UTC" in kinds["at"]
    assert frame["at"][1].microsecond == 250_000
    assert frame["day"][0].day == 2
    assert frame["more"][0] == {"x": [1]}
    assert frame["count"].isna().tolist() == [False, True]


def test_a_result_without_rows_has_its_columns() -> None:
    columns = [{"name": "id", "type": "integer"}, {"name": "at", "type": "timestamp"}]
    api = FakeApi(stream(kind=LINES))

    frame = job_of(api, "succeeded", result={"columns": columns, "rows": 0}).to_pandas()

    assert (list(frame.columns), len(frame)) == (["id", "at"], 0)


def test_records_go_in_batches_and_a_full_job_is_waited_for() -> None:
    answer = {"accepted": 2, "duplicates": 0, "rejected": [], "rejected_total": 0}
    bad = {"line": 1, "pointer": "/id", "detail": "No key."}
    last = {"accepted": 0, "duplicates": 0, "rejected": [bad], "rejected_total": 1}
    api = FakeApi(*[problem(429, "queue_full", Retry_After="0")] * 5, told(answer), told(last))

    total = api.client().records.append("job_1", ({"id": n} for n in range(3)), batch=2)

    assert (total["accepted"], total["rejected_total"]) == (2, 1)
    assert total["rejected"] == [{"index": 2, "pointer": "/id", "detail": "No key."}]
    assert api.requests[5].content == b'{"id":0}\n{"id":1}\n'
    assert api.requests[6].content == b'{"id":2}\n'
    assert len(set(api.sent("Idempotency-Key")[:6])) == 1


def test_large_records_go_in_smaller_batches_in_their_order() -> None:
    answer = {"accepted": 1, "duplicates": 0, "rejected": [], "rejected_total": 0}
    api, texts = (
        FakeApi(told(answer)),
        ["a" * 1_500_000, "b" * 1_500_000, "c", "d" * 3_000_000, "e"],
    )

    api.client().records.append("job_1", ({"text": text} for text in texts))

    sent = [[json.loads(line)["text"] for line in one.content.splitlines()] for one in api.requests]
    assert sent == [texts[:1], texts[1:3], texts[3:4], texts[4:]]


def test_records_of_a_live_source_go_as_soon_as_a_batch_is_full() -> None:
    answer = {"accepted": 2, "duplicates": 0, "rejected": [], "rejected_total": 0}
    api, seen = FakeApi(told(answer)), []

    def source() -> Iterator[dict[str, int]]:
        for number in range(5):
            seen.append(len(api.requests))
            yield {"id": number}

    api.client().records.append("job_1", source(), batch=2)

    assert seen == [0, 0, 1, 1, 2]
