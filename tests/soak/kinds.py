"""The kinds of jobs a soak submits, each with what its end has to be."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Check = Callable[[dict[str, Any], list[dict[str, Any]]], None]  # job, result rows


@dataclass(frozen=True, slots=True)
class SoakJob:
    """A body to submit, what is done to the job while it runs, and what its end has to be.

    `steer` is None, "pause" (and later resumed), "cancel", or "fork" once it has succeeded; a fork
    has to end alike. `batches` are appended one after the other, each twice, then the records end.
    """

    kind: str
    body: dict[str, Any]
    check: Check
    steer: str | None = None
    batches: tuple[list[dict[str, Any]], ...] = ()


def some_job(die: random.Random, number: int) -> SoakJob:
    """Draw a job; the kinds take turns by its number, so that none is left out."""
    return KINDS[number % len(KINDS)](die)


def _rows(die: random.Random, most: int) -> list[dict[str, Any]]:
    count = die.randint(1, most)
    return [
        {"id": number, "team": f"team{number % 7}", "text": f"Ticket MARK-{number:05d} of today."}
        for number in range(count)
    ]


def _body(rows: list[dict[str, Any]], *stages: dict[str, Any], **more: Any) -> dict[str, Any]:
    plan = {"version": 1, "stages": list(stages), "result": {"table": stages[-1]["name"]}}
    return {"plan": plan, "inputs": {"tickets": {"rows": rows, "key": "id"}}, **more}


EXTRACT: dict[str, Any] = {
    "name": "marks", "over": "tickets", "unit": {"rows": 1}, "capability": "extract",
    "params": {"field": "text", "patterns": {"mark": "MARK-[0-9]+"}}, "keep": ["team"],
}  # fmt: skip
LABEL: dict[str, Any] = {
    "name": "labels", "over": "tickets", "unit": {"rows": 1}, "capability": "llm", "retries": 8,
    "template": {"instructions": "Label the ticket.", "input": "{{ text }}"}, "timeout_s": 20,
    "output": {"type": "object", "properties": {"label": {"type": "string"}},
               "required": ["label"]},
}  # fmt: skip


def _extract(die: random.Random) -> SoakJob:
    rows = _rows(die, 1500)

    def check(job: dict[str, Any], found: list[dict[str, Any]]) -> None:
        assert job["status"] == "succeeded", job
        assert [(row["id"], row["mark"]) for row in found] == [
            (row["id"], f"MARK-{row['id']:05d}") for row in rows
        ]

    return SoakJob("extract", _body(rows, EXTRACT), check)


def _summed(die: random.Random) -> SoakJob:
    rows = _rows(die, 800)
    counted = {
        "name": "counted", "over": ["marks"], "unit": {"table": True}, "capability": "sql",
        "params": {"query": "SELECT team, count(DISTINCT mark) AS marks FROM marks GROUP BY team"},
    }  # fmt: skip

    def check(job: dict[str, Any], found: list[dict[str, Any]]) -> None:
        assert job["status"] == "succeeded", job
        assert sum(row["marks"] for row in found) == len(rows)

    return SoakJob("summed", _body(rows, EXTRACT, counted), check)


def _labels(die: random.Random) -> SoakJob:
    rows = _rows(die, 300)
    return SoakJob("labels", _body(rows, LABEL), _each_once(rows))


def _packed(die: random.Random) -> SoakJob:
    rows = _rows(die, 300)
    stage = {**LABEL, "params": {"pack": 5}}
    return SoakJob("packed", _body(rows, stage, policy={"max_pack": 5}), _each_once(rows))


def _replicas(die: random.Random) -> SoakJob:
    rows = _rows(die, 60)
    stage = {**LABEL, "replicas": 2, "agree": "majority"}
    return SoakJob("replicas", _body(rows, stage), _each_once(rows))


def _paused(die: random.Random) -> SoakJob:
    rows = _rows(die, 1500)
    return SoakJob("paused", _body(rows, EXTRACT), _each_once(rows), steer="pause")


def _cancelled(die: random.Random) -> SoakJob:
    rows = _rows(die, 1500)

    def check(job: dict[str, Any], found: list[dict[str, Any]]) -> None:
        assert job["status"] in {"cancelled", "succeeded"}, job
        ids = [row["id"] for row in found]
        assert len(ids) == len(set(ids))

    return SoakJob("cancelled", _body(rows, EXTRACT), check, steer="cancel")


def _forked(die: random.Random) -> SoakJob:
    rows = _rows(die, 200)
    return SoakJob("forked", _body(rows, LABEL), _each_once(rows), steer="fork")


def _planned(die: random.Random) -> SoakJob:
    rows = _rows(die, 100)
    body = {"goal": "Label every ticket", "planning": "model",
            "inputs": {"tickets": {"rows": rows, "key": "id"}}}  # fmt: skip
    return SoakJob("planned", body, _each_once(rows))


def _streamed(die: random.Random) -> SoakJob:
    return _stream(die, "streamed", EXTRACT, at_start=0)


def _hybrid(die: random.Random) -> SoakJob:
    return _stream(die, "hybrid", LABEL, at_start=100)


def _stream(die: random.Random, kind: str, stage: dict[str, Any], at_start: int) -> SoakJob:
    """Records in batches; those of the start come again among them."""
    rows = [
        {"id": number, "team": f"team{number % 7}", "text": f"Ticket MARK-{number:05d} of today."}
        for number in range(at_start + die.randint(1, 400))
    ]
    batches = tuple(rows[first : first + 40] for first in range(0, len(rows), 40))
    columns = {"id": "integer", "team": "string", "text": "string"}
    source = {"stream": True, "columns": columns, "key": "id"}
    if at_start:
        source["rows"] = rows[:at_start]
    body = {**_body([], stage), "inputs": {"tickets": source}}

    def check(job: dict[str, Any], found: list[dict[str, Any]]) -> None:
        assert job["status"] == "succeeded", job
        assert sorted(row["id"] for row in found) == [row["id"] for row in rows]

    return SoakJob(kind, body, check, batches=batches)


def _each_once(rows: list[dict[str, Any]]) -> Check:
    def check(job: dict[str, Any], found: list[dict[str, Any]]) -> None:
        assert job["status"] == "succeeded", job
        assert [row["id"] for row in found] == [row["id"] for row in rows]

    return check


KINDS = (
    _extract, _summed, _labels, _packed, _replicas, _paused, _cancelled, _forked, _planned,
    _streamed, _hybrid,
)  # fmt: skip
