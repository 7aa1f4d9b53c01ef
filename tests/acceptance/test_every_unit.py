"""One plan with every kind of unit: each stage's table is exactly the expected one."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.eventually import eventually
from tests.stack import Stack

TICKETS: list[dict[str, Any]] = [
    {"id": 1, "team": "red", "at": 5, "text": "alpha one.\n\nalpha two."},
    {"id": 2, "team": None, "at": 2, "text": "beta"},
    {"id": 3, "team": "blue", "at": 4, "text": ""},
    {"id": 4, "team": "red", "at": 1, "text": "gamma"},
    {"id": 5, "team": None, "at": 1, "text": "delta one.\n\ndelta two.\n\ndelta {{ id }}."},
    {"id": 6, "team": "red", "at": 3, "text": "epsilon"},
    {"id": 7, "team": "blue", "at": 4, "text": "zeta"},
]
TABLES = ("extracted", "windows", "teams", "whole", "pieces", "said", "votes")
COUNTED = "SELECT '{0}' AS stage, count(*) AS n FROM {0}"
COUNTS = " UNION ALL ".join(COUNTED.format(name) for name in TABLES)


def stage(name: str, capability: str, unit: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "over": "tickets", "unit": unit, "capability": capability, **more}


def told(input_: str, instructions: str = "") -> dict[str, Any]:
    return {"params": {"field": "id"}, "template": {"instructions": instructions, "input": input_}}


PLAN: dict[str, Any] = {
    "version": 1,
    "tables": {
        "style": [{"tone": "plain"}],
        "tasks": [
            {"task": "most", "votes": ["yes", "no", "yes"]},
            {"task": "alike", "votes": ["no", "no", "no"]},
            {"task": "scattered", "votes": ["yes", "no", "perhaps"]},
        ],
    },
    "stages": [
        stage(
            "extracted", "extract", {"rows": 1}, keep=["team"],
            params={"field": "text", "patterns": {"first": "^\\w+", "second": "^\\w+ (\\w+)"}},
        ),
        stage(
            "windows", "echo", {"rows": 3, "overlap": 1}, keep=["team"],
            **told("{{ rows.id }}", "Be {{ style.tone }}."),
        ),
        stage(
            "teams", "echo", {"group_by": ["team"], "order_by": ["at"]}, keep=["text"],
            **told("<{{ team }}>"),
        ),
        stage("whole", "echo", {"table": True}, keep=["at"], **told("{{ rows.id }}")),
        stage(
            "pieces", "split", {"rows": 1}, keep=["team"], emit="many",
            params={"field": "text", "by": "paragraph"},
        ),
        stage(
            "said", "echo", {"rows": 1}, **told("{{ style.tone }}/{{ whole.prompt }}/{{ text }}")
        ),
        {
            "name": "votes", "over": "tasks", "unit": {"rows": 1}, "capability": "vote",
            "replicas": 3, "agree": "majority", "keep": ["task"],
        },
        {
            "name": "counts", "over": list(TABLES), "unit": {"table": True}, "capability": "sql",
            "params": {"query": f"{COUNTS} ORDER BY stage"},
        },
    ],
    "result": {"table": "counts"},
}  # fmt: skip


class Ran:
    """The finished job and its stack."""

    def __init__(self, stack: Stack, job: dict[str, Any]) -> None:
        self.stack, self.job = stack, job

    def table(self, name: str, query: str = "") -> list[dict[str, Any]]:
        return self.stack.results(self.job["id"], f"&stage={name}{query}")


@pytest.fixture(scope="module")
def ran(make_module_stack: Callable[..., Stack], own_package: str) -> Ran:
    stack = make_module_stack(APWA_SHARD_SIZE="2")
    for role in ("api", "planner", "collector"):
        stack.start(role)
    stack.start("worker", 2, PYTHONPATH=own_package)
    eventually(stack.is_ready, within=90)
    eventually(lambda: stack.scalar("SELECT count(*) FROM workers") == 2, within=90)
    job_id = stack.submit(
        {
            "plan": PLAN,
            "inputs": {"tickets": {"rows": TICKETS, "key": "id"}},
            "policy": {"min_success": 0.6},
        }
    )
    return Ran(stack, stack.wait(job_id))


def echoed(own: list[int], prompt: str, **more: Any) -> dict[str, Any]:
    return {"own": own, "before": [], "after": [], "prompt": prompt, "told": None, **more}


def test_every_unit_is_accounted_for(ran: Ran) -> None:
    assert ran.job["status"] == "succeeded", ran.job
    units = {name: ledger["units"] for name, ledger in ran.job["coverage"]["stages"].items()}
    assert units == {
        "extracted": 7, "windows": 3, "teams": 3, "whole": 1, "pieces": 7, "said": 7, "votes": 3,
        "counts": 1,
    }  # fmt: skip
    progress = ran.job["progress"]
    assert (progress["units"], progress["succeeded"], progress["failed"]) == (32, 31, 1)


def test_a_row_gives_a_row_with_its_key_and_what_is_kept(ran: Ran) -> None:
    rows = ran.table("extracted")
    seconds = {1: "one", 5: "one"}
    firsts = ["alpha", "beta", None, "gamma", "delta", "epsilon", "zeta"]
    assert rows == [
        {"id": row["id"], "team": row["team"], "first": first, "second": seconds.get(row["id"])}
        for row, first in zip(TICKETS, firsts, strict=True)
    ]


def test_neighbouring_rows_overlap_as_context_only(ran: Ran) -> None:
    def window(before: list[int], own: list[int], after: list[int]) -> dict[str, Any]:
        prompt = str([*before, *own, *after]).replace(" ", "")
        teams = [TICKETS[id_ - 1]["team"] for id_ in own]
        return echoed(own, prompt, before=before, after=after, told="Be plain.", id=own, team=teams)

    assert ran.table("windows") == [
        window([], [1, 2, 3], [4]),
        window([3], [4, 5, 6], [7]),
        window([6], [7], []),
    ]


def test_groups_come_by_first_appearance_in_their_order_and_null_is_one(ran: Ran) -> None:
    def texts(*ids: int) -> list[str]:
        return [TICKETS[id_ - 1]["text"] for id_ in ids]

    assert ran.table("teams") == [
        echoed([4, 6, 1], "<red>", team="red", text=texts(4, 6, 1)),
        echoed([5, 2], "<>", team=None, text=texts(5, 2)),
        echoed([3, 7], "<blue>", team="blue", text=texts(3, 7)),
    ]


def test_a_whole_table_is_one_unit(ran: Ran) -> None:
    ids = [row["id"] for row in TICKETS]
    at = [row["at"] for row in TICKETS]
    assert ran.table("whole") == [echoed(ids, "[1,2,3,4,5,6,7]", at=at)]


def test_a_text_becomes_many_rows_and_an_empty_one_none(ran: Ran) -> None:
    rows = ran.table("pieces")
    told_apart = [(row["id"], row["team"], row["position"], row["text"].strip()) for row in rows]
    assert told_apart == [
        (1, "red", 1, "alpha one."), (1, "red", 2, "alpha two."), (2, None, 1, "beta"),
        (4, "red", 1, "gamma"), (5, None, 1, "delta one."), (5, None, 2, "delta two."),
        (5, None, 3, "delta {{ id }}."), (6, "red", 1, "epsilon"), (7, "blue", 1, "zeta"),
    ]  # fmt: skip


def test_a_template_reads_its_row_and_tables_of_one_row_and_nothing_in_the_data(ran: Ran) -> None:
    assert ran.table("said") == [
        echoed([row["id"]], f"plain/[1,2,3,4,5,6,7]/{row['text']}", id=row["id"]) for row in TICKETS
    ]


def test_replicas_agree_by_majority_or_fail(ran: Ran) -> None:
    assert ran.table("votes") == [
        {"task": "most", "choice": "yes", "_agreement": pytest.approx(2 / 3)},
        {"task": "alike", "choice": "no", "_agreement": 1.0},
    ]
    [failed] = ran.table("votes", "&outcome=failed")
    assert (failed["_apwa"]["unit"], failed["_apwa"]["code"]) == (2, "no_agreement")


def test_the_result_reads_every_other_table(ran: Ran) -> None:
    counts = {"extracted": 7, "windows": 3, "teams": 3, "whole": 1, "pieces": 9, "said": 7}
    expected = {**counts, "votes": 2}
    rows = ran.stack.results(ran.job["id"])
    assert rows == [{"stage": name, "n": expected[name]} for name in sorted(expected)]


def test_stages_over_one_table_were_open_at_the_same_time(ran: Ran) -> None:
    items = ran.stack.get(f"/v1/jobs/{ran.job['id']}/stages").json["items"]
    at_once = [one for one in items if one["name"] in ("extracted", "windows", "teams", "pieces")]
    assert max(one["opened_at"] for one in at_once) < min(one["closed_at"] for one in at_once)


def test_rows_of_every_kind_of_unit_lead_back_to_source_rows(ran: Ran) -> None:
    def sources(name: str) -> list[list[list[int]]]:
        lineage = [row["_apwa"] for row in ran.table(name, "&include=lineage")]
        assert {one["stage"] for one in lineage} == {name}
        assert {one["source"]["name"] for one in lineage} == {"tickets"}
        return [one["source"]["rows"] for one in lineage]

    assert sources("teams") == [[[3, 1], [5, 1], [0, 1]], [[4, 1], [1, 1]], [[2, 1], [6, 1]]]
    assert sources("windows") == [[[0, 3]], [[3, 3]], [[6, 1]]]
    assert sources("whole") == [[[0, 7]]]
    assert sources("pieces") == [[[row, 1]] for row in (0, 0, 1, 3, 4, 4, 4, 5, 6)]


def test_lineage_can_bring_the_source_rows_themselves(ran: Ran) -> None:
    red = ran.table("teams", "&include=lineage,input")[0]["_apwa"]
    assert red["input"] == [TICKETS[3], TICKETS[5], TICKETS[0]]
    assert red["unit"] == 0
    assert red["attempt"] == 1
