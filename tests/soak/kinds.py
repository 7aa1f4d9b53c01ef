"""The kinds of jobs a soak submits, each with what its end has to be."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Check = Callable[[dict[str, Any], list[dict[str, Any]]], None]  # job, result rows


@dataclass(frozen=True, slots=True)
class SoakJob:
    """A body to submit, what is done to the job while it runs, and what its end has to be.

    `steer` is None, "pause" (and later resumed), or "cancel".
    """

    kind: str
    body: dict[str, Any]
    check: Check
    steer: str | None = None


def some_job(die: random.Random) -> SoakJob:
    """Draw a job."""
    return die.choice([_extract, _summed, _labels, _packed, _replicas, _paused, _cancelled])(die)


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


def _each_once(rows: list[dict[str, Any]]) -> Check:
    def check(job: dict[str, Any], found: list[dict[str, Any]]) -> None:
        assert job["status"] == "succeeded", job
        assert [row["id"] for row in found] == [row["id"] for row in rows]

    return check
