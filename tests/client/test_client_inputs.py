"""What may be given as data, and what is sent for it."""

import email
import email.policy
import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy
import pandas
import pyarrow
import pyarrow.parquet
import pytest

from apwa_client import Input
from apwa_client.bodies import FORMATS, MEDIA_TYPES
from apwa_client.inputs import INLINE_BYTES, prepared
from apwa_client.rows import json_ready, rows_of
from shared.tables.media_types import FORMAT_OF_MEDIA_TYPE, GIVEN_FORMATS
from shared.tables.readers import formats
from tests.client.fake_api import FakeApi, told


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (float("nan"), None), (pandas.NaT, None), (pandas.NA, None), (numpy.int64(3), 3),
        (numpy.float32(0.5), 0.5), (numpy.bool_(True), True), (numpy.array([1, 2]), [1, 2]),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=1))), "2026-01-02T02:00:00Z"),
        (datetime.fromisoformat("2026-01-02T03:00"), "2026-01-02T03:00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (pandas.Timestamp("2026-01-02", tz="UTC"), "2026-01-02T00:00:00Z"),
        (Decimal("1.5"), 1.5), (Colour.RED, "red"), (Level.HIGH, 3),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"a": (1, {"b": numpy.float64("nan")})}, {"a": [1, {"b": None}]}),
    ],
)  # fmt: skip
def test_a_value_is_sent_as_json_has_it(value: Any, sent: Any) -> None:
    found = json_ready(value)

    assert found == sent
    assert type(found) is type(sent)


@pytest.mark.parametrize("value", [b"raw", timedelta(1), object()])
def test_a_value_without_a_form_in_json_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no form in JSON"):
        json_ready(value)


def test_infinity_is_refused() -> None:
    with pytest.raises(ValueError, match="infinity"):
        json_ready(float("inf"))


def test_a_frame_gives_its_rows_without_its_index() -> None:
    frame = pandas.DataFrame({"id": [1, 2], "score": [0.5, None]}, index=[7, 9])

    assert list(rows_of(frame)) == [{"id": 1, "score": 0.5}, {"id": 2, "score": None}]


def test_a_frame_with_two_columns_of_one_name_is_refused() -> None:
    frame = pandas.DataFrame([[1, 2]], columns=["a", "a"])

    with pytest.raises(ValueError, match="several columns called a"):
        list(rows_of(frame))


def test_an_arrow_table_is_sent_as_parquet_with_its_types() -> None:
    table = pyarrow.table({"day": [date(2026, 1, 2)], "n": [1]})

    with prepared({"days": table}) as ready:
        [part] = ready.parts
        sent = b"".join(part.body.open())

    assert ready.inputs == {"days": {}}
    assert pyarrow.parquet.read_table(pyarrow.BufferReader(sent)).equals(table)


def test_few_rows_go_inline_with_their_key() -> None:
    with prepared({"t": Input([{"id": 1}], key="id")}) as ready:
        assert ready.inputs == {"t": {"rows": [{"id": 1}], "key": "id"}}
        assert ready.parts == []


def test_many_rows_go_as_a_file_of_the_same_request() -> None:
    count, text = 300, "x" * 10_000
    assert count * len(text) > INLINE_BYTES
    rows = ({"id": n, "text": text} for n in range(count))

    with prepared({"small": [{"a": 1}], "t": Input(rows, key="id")}) as ready:
        body = ready.body({"goal": "Redact it"})
        sent = b"".join(body.open())

    job, file = parts_of(body.content_type, sent)
    assert body.length == len(sent)
    assert json.loads(job.get_content()) == {
        "goal": "Redact it", "inputs": {"small": {"rows": [{"a": 1}]}, "t": {"key": "id"}},
    }  # fmt: skip
    assert (file.get_param("name", header="Content-Disposition"), file.get_filename()) == (
        "t", "t.ndjson",
    )  # fmt: skip
    lines = file.get_payload(decode=True).splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(count))


def test_a_path_is_a_file_and_text_is_text(tmp_path: Path) -> None:
    file = tmp_path / 'a "b".csv'
    file.write_bytes(b"a\r\n1\r\n")

    with prepared({"t": file, "note": "Be kind.", "old": "tbl_01abc"}) as ready:
        assert ready.inputs == {
            "t": {}, "note": {"text": "Be kind."}, "old": {"table": "tbl_01abc"},
        }  # fmt: skip
        body = ready.body({})
        _, part = parts_of(body.content_type, b"".join(body.open()))

    assert part.get_content_type() == "text/csv"
    assert part.get_payload(decode=True) == b"a\r\n1\r\n"


def test_text_that_names_a_file_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.csv").touch()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ValueError, match="Path"), prepared({"t": "t.csv"}):
        pass


@pytest.mark.parametrize("text", ["a" * 300, "a/" * 400, "a\0b", "a\ud800b", " "])
def test_text_that_could_name_no_file_is_text(text: str) -> None:
    with prepared({"note": text}) as ready:
        assert ready.inputs == {"note": {"text": text}}


@pytest.mark.parametrize("data", [3, b"raw", None])
def test_what_holds_no_rows_is_refused(data: Any) -> None:
    with pytest.raises(TypeError, match="holds no rows"), prepared({"t": data}):
        pass


def test_a_table_that_was_returned_may_be_an_input() -> None:
    with prepared({"t": {"id": "tbl_01abc", "name": "x"}, "s": {"stream": True}}) as ready:
        assert ready.inputs == {"t": {"table": "tbl_01abc"}, "s": {"stream": True}}


def test_an_upload_tells_how_far_it_is_and_is_sent_whole_again(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"a,b\n" + b"1,2\n" * 200_000)
    size, seen = file.stat().st_size, []
    api = FakeApi(told({}, 503), told({"id": "tbl_1"}, 201))

    table = api.client().tables.upload(
        file, name="t", progress=lambda sent, total: seen.append((sent, total))
    )

    assert table["id"] == "tbl_1"
    assert [request.content for request in api.requests] == [file.read_bytes()] * 2
    assert api.sent("Content-Length") == [str(size)] * 2
    assert set(api.sent("Content-Type")) == {"text/csv"}
    assert api.targets[0] == "POST /v1/tables?name=t&format=csv"
    assert {total for _, total in seen} == {size}
    assert [sent for sent, _ in seen].count(0) == 2
    assert seen[-1] == (size, size)
    assert len(seen) > 4


def test_what_an_ending_tells_the_interface_takes() -> None:
    told = set(FORMATS.values())

    assert set(GIVEN_FORMATS) - told == {"jsonl", "pdf-pages", "image"}  # seen by content
    assert told <= set(GIVEN_FORMATS)
    assert set(MEDIA_TYPES.values()) <= set(FORMAT_OF_MEDIA_TYPE)
    assert {name: FORMAT_OF_MEDIA_TYPE[kind] for name, kind in MEDIA_TYPES.items()} == {
        name: name for name in MEDIA_TYPES
    }


def test_an_ending_tells_the_client_what_it_tells_the_server() -> None:
    untold = formats._SUFFIXES.keys() - FORMATS.keys()

    assert FORMATS.items() <= formats._SUFFIXES.items()
    assert {formats._SUFFIXES[ending] for ending in untold} <= {"image", "xlsx"}  # by content


def test_a_folder_is_one_row_per_document(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.txt").write_text("two")
    (tmp_path / "sub" / "a.md").write_text("three")
    (tmp_path / ".hidden").write_text("no")
    api = FakeApi(told({"id": "tbl_1"}, 201))

    api.client().tables.upload(tmp_path, name="docs")

    [request] = api.requests
    parts = parts_of(request.headers["Content-Type"], request.content)
    assert [part.get_filename() for part in parts] == ["b.txt", "sub/a.md"]


def parts_of(content_type: str, content: bytes) -> list[Any]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.message_from_bytes(head + content, policy=email.policy.HTTP)
    return list(message.iter_parts())
