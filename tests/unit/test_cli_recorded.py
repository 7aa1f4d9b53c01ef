"""Recorded deliveries on the command line: what is read, and how it is signed."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from services.cli.exits import CommandError
from services.cli.given_files import read_object
from services.cli.recorded import read_recorded, read_secret, signed
from shared.domain.hook_scheme import Verified, scheme_of, verify
from tests.stack import ROOT

SECRET = "a secret the sender knows too"
RECORDED = sorted([
    *(ROOT / "examples").glob("*/issue_*.json"), *(ROOT / "examples").glob("*/dispute_*.json"),
])  # fmt: skip


def written(folder: Path, content: Any) -> Path:
    path = folder / "event.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def test_a_body_is_sent_byte_by_byte(tmp_path: Path) -> None:
    body = b'{ "b": 1,\n "a": "\xc3\xa9" }\n'
    found = read_recorded(written(tmp_path, body), ["X-A:  one", "x-b: two: three"])
    assert found.body == body
    assert found.headers == {"x-a": "one", "x-b": "two: three"}


def test_a_recording_brings_its_headers_and_given_ones_win(tmp_path: Path) -> None:
    headers = {"X-A": "one", "X-B": "two", "Host": "recorded.example", "Content-Length": "5"}
    recording = {"headers": headers, "payload": {"a": ["é"]}}
    found = read_recorded(written(tmp_path, recording), ["x-b: three"])
    assert found.headers == {"x-a": "one", "x-b": "three"}
    assert json.loads(found.body) == {"a": ["é"]}


def test_a_body_that_only_looks_like_a_recording_is_a_body(tmp_path: Path) -> None:
    body = b'{"headers": ["a", "b"], "payload": 1}'
    assert read_recorded(written(tmp_path, body), []).body == body


@pytest.mark.parametrize("kind", ["github", "stripe", "hmac", "token"])
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_what_is_signed_now_is_genuine(kind: str, path: Path) -> None:
    scheme, recorded = scheme_of(kind, {}), read_recorded(path, [])
    headers = signed(recorded, scheme, SECRET)
    found = verify(scheme, [SECRET], headers, recorded.body, time.time())
    assert isinstance(found, Verified)


def test_a_delivery_keeps_the_id_it_brings_and_gets_one_of_its_own_else(tmp_path: Path) -> None:
    scheme = scheme_of("github", {})
    recorded = read_recorded(written(tmp_path, {}), ["X-GitHub-Delivery: mine"])
    assert signed(recorded, scheme, SECRET)["x-github-delivery"] == "mine"
    plain = read_recorded(written(tmp_path, {}), [])
    ids = {signed(plain, scheme, SECRET)["x-github-delivery"] for _ in range(3)}
    assert len(ids) == 3


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        read_recorded(tmp_path / "none.json", [])
    with pytest.raises(CommandError, match="is not JSON"):
        read_recorded(written(tmp_path, b"{"), [])
    with pytest.raises(CommandError, match="Name: value"):
        read_recorded(written(tmp_path, {}), ["nonsense"])
    with pytest.raises(CommandError, match="no JSON object"):
        read_object(written(tmp_path, []))
    assert read_secret(written(tmp_path, b"hush\n")) == "hush"
