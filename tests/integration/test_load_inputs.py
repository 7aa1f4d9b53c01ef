"""Inputs given by address: stored as awaited, fetched by the planner, or the end of the job.

Names are looked up in a list and bytes come from a list: nothing leaves the process.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from services.planner.load_inputs import Fetching, load_inputs
from shared.actions.fetch_input import Web
from shared.actions.former_job import former_inputs
from shared.database import awaited_inputs, jobs, tables
from shared.database.jobs import JobRecord
from shared.net.guard import Checked, Guard
from shared.net.refused import WebError
from shared.net.web_request import WebAnswer, WebRequest
from shared.settings import Settings
from tests import files
from tests.integration.api_door import Api

PUBLIC, PRIVATE = "93.184.216.34", "10.0.0.1"
HOLDER = "planner of the test"
URL = f"http://{PUBLIC}/data/tickets.csv?signature=secret"  # a literal: nothing is looked up
NAMED = "https://files.example/data/tickets.csv"
CSV = b"id,text\n1,mail a@example.com\n2,none\n"


@pytest.fixture
def api(settings: Settings, database: Engine) -> Iterator[Api]:
    made = Api(settings, database)
    yield made
    made.close()


class Wire:
    """Answers what a test says, one answer per request, and notes where requests went."""

    def __init__(self, *answers: WebAnswer | WebError, ips: Sequence[str] = (PUBLIC,)) -> None:
        self.answers, self.ips = list(answers), ips
        self.sent: list[tuple[str, tuple[str, ...]]] = []
        self.before: Callable[[], Any] = lambda: None

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return self.ips

    async def send(self, request: WebRequest, to: Checked, guard: Guard) -> WebAnswer:
        self.before()
        self.sent.append((to.address.url, to.ips))
        answer = self.answers.pop(0)
        if isinstance(answer, WebError):
            raise answer
        if answer.status == 200 and request.into is not None:
            request.into.write(answer.body)
        return replace(answer, url=to.address.url)

    def web(self) -> Web:
        return Web(Guard(resolve=self.resolve), self.send)


def page(body: bytes, kind: str = "text/csv", status: int = 200, **more: str) -> WebAnswer:
    return WebAnswer("", status, {"content-type": kind, **more}, body)


def lease(database: Engine, job_id: str) -> JobRecord:
    with database.begin() as tx:
        job = jobs.lease_for_planning(tx, job_id, HOLDER, 60)
    assert job is not None
    return job


def fetching(settings: Settings, database: Engine, wire: Wire, **more: Any) -> Fetching:
    return Fetching(database, settings, HOLDER, web=wire.web(), pauses_s=(0.0, 0.0), **more)


def ended(database: Engine, job_id: str) -> Any:
    with database.connect() as connection:
        job = jobs.find(connection, job_id)
    assert job is not None
    return job.status, job.error


def submit(api: Api, **item: Any) -> str:
    return str(api.submit(inputs={"tickets": {"url": URL, **item}})["id"])


def test_an_input_given_by_address_is_awaited_and_then_loaded(
    api: Api, settings: Settings, database: Engine
) -> None:
    # given a job whose input is still to come
    job_id = submit(api, key="id")
    with database.connect() as connection:
        [awaited] = awaited_inputs.of_job(connection, job_id)
        assert awaited_inputs.any_of_job(connection, job_id)
    assert (awaited.name, awaited.url) == ("tickets", URL)
    assert URL not in api.get(f"/v1/tables/{awaited.table_id}").text, "it may hold a signature"

    # when a planner has leased it
    wire = Wire(page(CSV, "text/csv; charset=utf-8"))
    assert load_inputs(fetching(settings, database, wire), lease(database, job_id))

    # then it is a table like one that was uploaded
    with database.connect() as connection:
        [item] = jobs.inputs(connection, job_id)
        table = tables.find(connection, item.table_id)
        assert tables.find(connection, awaited.table_id) is None
        assert not awaited_inputs.any_of_job(connection, job_id)
    assert table is not None
    assert (table.status, table.row_count, table.job_id) == ("sealed", 2, job_id)
    assert (table.report or {})["source"] == URL.partition("?")[0]
    assert [column.name for column in table.columns] == ["id", "text"]
    assert wire.sent == [(URL, (PUBLIC,))]
    job = api.get(f"/v1/jobs/{job_id}").get_json()
    assert job["status_reason"] == {"kind": "planner"}


def test_while_it_is_fetched_the_job_says_so(
    api: Api, settings: Settings, database: Engine
) -> None:
    job_id = submit(api)
    said = []
    wire = Wire(page(CSV))
    wire.before = lambda: said.append(api.get(f"/v1/jobs/{job_id}").get_json()["status_reason"])

    assert load_inputs(fetching(settings, database, wire), lease(database, job_id))

    assert said == [{"kind": "input", "input": "tickets"}]


@pytest.mark.parametrize(
    ("body", "kind", "item", "columns"),
    [
        (files.pdf("text"), "application/pdf", {}, ["name", "title", "text", "pages"]),
        (files.xlsx(A=[["a"], [1]], B=[["b"], [2]]), "application/octet-stream", {"sheet": "B"},
         ["b"]),
        (b'{"n": 1}\n', "text/plain", {"format": "ndjson"}, ["n"]),
        (CSV, "text/plain", {}, ["id", "text"]),
        (files.image(), "image/png", {}, ["name", "mime", "width", "height", "image"]),
    ],
    ids=["pdf", "sheet", "declared", "vague-type", "image"],
)  # fmt: skip
def test_what_comes_is_read_by_what_is_said_of_it_and_what_it_is(
    api: Api, settings: Settings, database: Engine, body: bytes, kind: str,
    item: dict[str, Any], columns: list[str],
) -> None:  # fmt: skip
    job_id = submit(api, **item)

    assert load_inputs(
        fetching(settings, database, Wire(page(body, kind))), lease(database, job_id)
    )

    with database.connect() as connection:
        [one] = jobs.inputs(connection, job_id)
        table = tables.find(connection, one.table_id)
    assert table is not None
    assert [column.name for column in table.columns] == columns


@pytest.mark.parametrize(
    ("answers", "code", "requests"),
    [
        ([page(b"", status=404)], "input_unreachable", 1),
        ([page(b"", status=503)] * 3, "input_unreachable", 3),
        ([WebError("timeout", "too slow", transient=True)] * 3, "input_unreachable", 3),
        ([WebError("too_large", "too large")], "too_large", 1),
        ([page(b"", status=302, location="http://10.0.0.1/x")], "address_not_allowed", 1),
        ([page(b"", status=302, location="file:///etc/passwd")], "address_not_allowed", 1),
        ([page(b"", status=302, location=f"http://{PUBLIC}/")] * 6, "input_unreachable", 6),
        ([page(b"\x7fELF" + b"\0" * 600)], "unreadable", 1),
        ([page(files.zipped({"a": b"\0" * 90_000_000}), "application/zip")],
         "decompression_limit", 1),
        ([page(b"id\n1\n1\n")], "key_not_unique", 1),
        ([page(b"nothing\n1\n")], "invalid", 1),
    ],
    ids=["404", "503", "timeout", "large", "private", "scheme", "circle", "elf", "bomb", "key",
         "no-key"],
)  # fmt: skip
def test_an_input_that_cannot_be_had_or_read_ends_the_job_and_leaves_nothing(
    api: Api, settings: Settings, database: Engine, answers: list[Any], code: str, requests: int
) -> None:
    job_id = submit(api, key="id")
    before = api.kept()
    wire = Wire(*answers)

    assert not load_inputs(fetching(settings, database, wire), lease(database, job_id))

    status, error = ended(database, job_id)
    assert (status, error["code"], error["pointer"]) == ("failed", code, "/inputs/tickets")
    assert "secret" not in error["detail"]
    assert len(wire.sent) == requests
    assert api.kept() | {"events": 0} == before | {"events": 0}


def test_a_name_that_leads_inside_when_it_is_fetched_is_refused(
    api: Api, settings: Settings, database: Engine
) -> None:
    # given an address that was harmless when the job was taken in
    job_id = submit(api)
    with database.begin() as tx:
        tx.execute(
            text("""UPDATE tables SET report =
              jsonb_set(report, '{awaits,url}', to_jsonb(CAST(:url AS text)))"""),
            {"url": NAMED},
        )
    wire = Wire(ips=[PUBLIC, PRIVATE])

    assert not load_inputs(fetching(settings, database, wire), lease(database, job_id))

    assert ended(database, job_id)[1]["code"] == "address_not_allowed"
    assert wire.sent == []


def test_a_passing_failure_is_tried_again(api: Api, settings: Settings, database: Engine) -> None:
    job_id = submit(api)
    wire = Wire(page(b"", status=503), WebError("unreachable", "x", transient=True), page(CSV))

    assert load_inputs(fetching(settings, database, wire), lease(database, job_id))
    assert len(wire.sent) == 3


def test_who_lost_the_job_meanwhile_changes_nothing(
    api: Api, settings: Settings, database: Engine
) -> None:
    # given a planner whose job is cancelled while it fetches
    job_id = submit(api)
    job = lease(database, job_id)
    wire = Wire(page(CSV))
    wire.before = lambda: api.post(f"/v1/jobs/{job_id}/cancel", json={})
    before = api.kept()

    assert not load_inputs(fetching(settings, database, wire), job)

    assert api.get(f"/v1/jobs/{job_id}").get_json()["status"] == "finalizing"
    assert api.kept()["table_chunks"] == before["table_chunks"]
    with database.connect() as connection:
        assert len(awaited_inputs.of_job(connection, job_id)) == 1


def test_a_planner_told_to_stop_leaves_the_job_to_another(
    api: Api, settings: Settings, database: Engine
) -> None:
    job_id = submit(api)
    wire = Wire(*[page(b"", status=503)] * 3)
    work = fetching(settings, database, wire, lost=lambda: bool(wire.sent))

    assert not load_inputs(work, lease(database, job_id))
    assert ended(database, job_id) == ("planning", None)
    assert load_inputs(fetching(settings, database, Wire(page(CSV))), lease(database, job_id))


def test_a_retry_of_a_job_whose_input_never_came_fetches_it_again(
    api: Api, settings: Settings, database: Engine
) -> None:
    job_id = submit(api, key="id", format="csv")
    load_inputs(fetching(settings, database, Wire(page(b"", status=404))), lease(database, job_id))

    again = api.post(f"/v1/jobs/{job_id}/retry", json={})

    assert again.status_code == 202, again.text
    new_id = again.get_json()["id"]
    with database.connect() as connection:
        [awaited] = awaited_inputs.of_job(connection, new_id)
        job = jobs.find(connection, new_id)
        assert job is not None
        [former] = former_inputs(connection, job)
    assert (awaited.url, awaited.key, awaited.format) == (URL, "id", "csv")
    assert former.address is not None
    assert load_inputs(fetching(settings, database, Wire(page(CSV))), lease(database, new_id))


def test_the_sweep_leaves_awaited_inputs_alone(api: Api, database: Engine) -> None:
    job_id = submit(api)
    with database.begin() as tx:
        tx.execute(text("UPDATE tables SET created_at = created_at - interval '1 day'"))
        tables.sweep_loading(tx, 60)
        assert len(awaited_inputs.of_job(tx, job_id)) == 1


def test_a_file_below_a_listed_prefix_is_read_and_no_other(
    settings: Settings, database: Engine, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "tickets.csv").write_bytes(CSV)
    (tmp_path / "outside.csv").write_bytes(CSV)
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    listed = replace(settings, remote_prefixes=f"file://{folder}/")
    api = Api(listed, database)
    try:
        inside, link = (
            submit(api, url=f"file://{folder}/tickets.csv"),
            submit(api, url=f"file://{folder}/link.csv"),
        )
        for outside in (f"file://{tmp_path}/outside.csv", f"file://{folder}/../outside.csv"):
            answer = api.post("/v1/jobs", json={"goal": "x", "inputs": {"t": {"url": outside}}})
            assert answer.get_json()["code"] == "address_not_allowed"
            assert "APWA_REMOTE_PREFIXES" in answer.get_json()["detail"]
    finally:
        api.close()

    wire = Wire()
    assert load_inputs(fetching(listed, database, wire), lease(database, inside))
    assert not load_inputs(fetching(listed, database, wire), lease(database, link))
    assert ended(database, link)[1]["code"] == "input_unreachable"
