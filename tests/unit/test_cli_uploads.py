"""How `--input` becomes a named request body."""

import email
import email.policy
from pathlib import Path

import pytest

from services.cli.exits import CommandError
from services.cli.uploads import Input, file_body, folder_body, parse_input, table_name


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("tickets.csv", "tickets"),
        ("My data-2.csv", "my_data_2"),
        ("2026.csv", "t_2026"),
        ("--.csv", "t_"),
        ("größe.csv", "gr_e"),
    ],
)
def test_a_file_gets_a_name_that_plans_can_use(file: str, name: str) -> None:
    assert table_name(Path(file)) == name


def test_an_input_may_be_named(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.touch()

    assert parse_input(f"tickets={file}") == Input("tickets", file)


def test_a_stored_table_is_taken_as_it_is() -> None:
    assert parse_input("tickets=tbl_1") == Input("tickets", None, "tbl_1")


def test_an_equals_sign_in_a_path_is_part_of_the_path(tmp_path: Path) -> None:
    file = tmp_path / "a=b.csv"
    file.touch()

    assert parse_input(str(file)).path == file


def test_a_missing_file_is_named_in_the_message() -> None:
    with pytest.raises(CommandError, match=r"nowhere\.csv"):
        parse_input("tickets=nowhere.csv")


def test_a_file_is_announced_with_its_length_and_sent_whole(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"a": 1}\n' * 100_000)

    body = file_body(file)

    assert body.content_type == "application/x-ndjson"
    assert b"".join(body.open()) == file.read_bytes()
    assert body.length == file.stat().st_size
    assert b"".join(body.open()) == file.read_bytes(), "a second try sends it again"


def test_a_folder_is_sent_as_one_part_per_visible_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "sub" / 'quoted".html').write_text("<p>third</p>")
    (tmp_path / "a.txt").write_text("--first\r\n")
    (tmp_path / ".git" / "config").write_text("hidden")
    (tmp_path / ".hidden.txt").write_text("hidden")

    body = folder_body(tmp_path)

    raw = b"".join(body.open())
    assert len(raw) == body.length
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + raw, policy=email.policy.HTTP).get_payload()
    sent = [(part.get_filename(), part.get_content_type()) for part in parts]
    assert sent == [
        ("a.txt", "text/plain"),
        ("b.txt", "text/plain"),
        ("sub/quoted%22.html", "text/html"),
    ]
    assert parts[0].get_payload(decode=True) == b"--first\r\n"


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds no files"):
        folder_body(tmp_path)
