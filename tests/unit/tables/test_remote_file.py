"""Files from where an operator allows: an S3 stand-in on loopback, and the local disk."""

import os
import threading
from dataclasses import replace

import pytest

from shared.tables.remote_file import RemoteFailed, RemoteFiles, copy_remote
from tests.own_children import own_children
from tests.s3_stand_in import s3_stand_in

DATA = os.urandom(9_000_000)


def files(stand_in=None, prefixes=("s3://bucket/in/",), **options):
    known = {} if stand_in is None else {"s3": stand_in.options(**options)}
    return RemoteFiles(prefixes, known, 10_000_000, 30.0)


def failure(remote, url, target, cancelled=None):
    with pytest.raises(RemoteFailed) as failed:
        copy_remote(remote, url, target, cancelled)
    return failed.value


def test_an_object_of_s3_is_copied_as_it_is(tmp_path):
    with s3_stand_in({"bucket/in/a b#c.bin": DATA}) as stand_in:
        size = copy_remote(files(stand_in), "s3://bucket/in/a b#c.bin", tmp_path / "got")

    assert size == len(DATA)
    assert (tmp_path / "got").read_bytes() == DATA
    assert {line.split("/", 1)[1] for line in stand_in.asked} == {"bucket/in/a b#c.bin"}
    assert own_children() == []


def test_an_object_is_read_no_further_than_the_limit(tmp_path):
    with s3_stand_in({"bucket/in/a": b"x" * 60_000_000}) as stand_in:
        remote = replace(files(stand_in), most_bytes=1_000_000)
        failed = failure(remote, "s3://bucket/in/a", tmp_path / "got")

    assert (failed.code, failed.transient) == ("too_large", False)
    assert stand_in.sent_bytes < 30_000_000


@pytest.mark.parametrize(
    ("url", "options", "code", "transient"),
    [
        ("s3://bucket/in/missing.csv", {}, "not_found", False),
        ("s3://bucket/in/a.csv", {"key": "another"}, "forbidden", False),
    ],
)
def test_why_an_object_cannot_be_had_is_told_without_the_operators_secrets(
    tmp_path, url, options, code, transient
):
    with s3_stand_in({"bucket/in/a.csv": b"a\n1\n"}) as stand_in:
        failed = failure(files(stand_in, **options), url, tmp_path / "got")

    assert (failed.code, failed.transient) == (code, transient)
    assert not any(word in failed.detail for word in ("127.0.0.1", "the-key", "the-secret"))


def test_without_a_key_in_the_settings_nothing_is_asked(tmp_path, monkeypatch):
    # given keys in the environment of the service, which are for something else
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-key-of-the-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with s3_stand_in({"bucket/in/a.csv": b"a\n1\n"}) as stand_in:
        remote = files(stand_in, key=None, secret=None)

        failed = failure(remote, "s3://bucket/in/a.csv", tmp_path / "got")

    assert failed.code in {"unreachable", "forbidden"}
    assert stand_in.asked == []


def test_copying_ends_when_it_is_cancelled(tmp_path):
    pipe = tmp_path / "in"
    pipe.mkdir()
    cancelled = threading.Event()
    cancelled.set()

    with s3_stand_in({"bucket/in/a": DATA}) as stand_in:
        failed = failure(files(stand_in), "s3://bucket/in/a", tmp_path / "got", cancelled)

    assert failed.code == "cancelled"
    assert own_children() == []


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "in"
    made.mkdir()
    (made / "a.csv").write_text("a\n1\n")
    (tmp_path / "outside.csv").write_text("secret")
    return made


def test_a_local_file_is_copied(folder, tmp_path):
    remote = files(prefixes=(f"file://{folder}/",))

    assert copy_remote(remote, f"file://{folder}/a.csv", tmp_path / "got") == 4


@pytest.mark.parametrize("kind", [
    "link", "folder link", "circle", "pipe", "folder", "below a file", "missing",
])  # fmt: skip
def test_what_is_no_regular_file_of_the_folder_is_not_read(folder, tmp_path, kind):
    path = folder / "thing"
    if kind == "link":
        path.symlink_to(tmp_path / "outside.csv")
    elif kind == "folder link":
        path.symlink_to(tmp_path)
        path = path / "outside.csv"
    elif kind == "circle":
        path.symlink_to(path)
    elif kind == "below a file":
        path = folder / "a.csv" / "thing"
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()

    failed = failure(files(prefixes=(f"file://{folder}/",)), f"file://{path}", tmp_path / "got")

    assert failed.code in {"forbidden", "not_found"}
    assert not (tmp_path / "got").exists()
