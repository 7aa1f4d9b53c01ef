"""The form of a stream, the places there are for streams, and who may take one."""

import json
import logging
import socket
from collections.abc import Iterator

import pytest
from flask import Flask

from services.api import event_stream
from services.api.gunicorn_log import WithoutQueries
from services.api.open_streams import Listener, OpenStreams, waits
from services.api.problems import Problem
from shared.actions.refusals import Later


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_there_are_so_many_places_and_one_that_was_left_is_free_again() -> None:
    streams = OpenStreams(2)
    first, _ = streams.take(), streams.take()
    with pytest.raises(Problem) as refused:
        streams.take()
    assert (refused.value.status, refused.value.code) == (429, "too_many_open_streams")
    assert refused.value.headers == {"Retry-After": "10"}

    first.leave()
    first.leave()  # said twice, it is still one place

    streams.take()
    with pytest.raises(Problem):
        streams.take()


def test_a_client_that_hangs_up_is_noticed_without_writing(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    listener = Listener({"gunicorn.socket": ours})
    assert not listener.gone_within(0)

    theirs.sendall(b"what nobody reads")
    assert not listener.gone_within(0)
    theirs.close()

    assert listener.gone_within(5)
    assert not waits(listener, OpenStreams(1), 60)


def test_a_process_that_stops_lets_nobody_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    streams = OpenStreams(1)
    streams.stopping = lambda: True
    assert not waits(Listener({"gunicorn.socket": pair[0]}), streams, 60)


@pytest.mark.parametrize(("given", "number"), [("", 0), ("17", 17), (" 4 ", 4)])
def test_the_last_number_seen_is_read(given: str, number: int) -> None:
    with Flask(__name__).test_request_context(headers={"Last-Event-ID": given}):
        assert event_stream.last_event_id() == number


@pytest.mark.parametrize("given", ["-1", "x", "1.5", "1" * 19, "٣"])
def test_what_is_no_number_of_a_stream_is_refused(given: str) -> None:
    context = Flask(__name__).test_request_context(environ_base={"HTTP_LAST_EVENT_ID": given})
    with context, pytest.raises(Problem) as refused:
        event_stream.last_event_id()
    assert refused.value.problems[0].pointer == "/headers/Last-Event-ID"


def test_data_is_one_line_whatever_it_holds() -> None:
    frame = event_stream._frame("snapshot", {"goal": "one\ntwo\r\nid: 7"}, retry_ms=5)
    lines = frame.decode().split("\n")
    assert lines[:2] == ["retry: 5", "event: snapshot"]
    assert json.loads(lines[2].removeprefix("data: ")) == {"goal": "one\ntwo\r\nid: 7"}
    assert lines[3:] == ["", ""]


def test_a_message_of_the_server_shows_no_query() -> None:
    record = logging.LogRecord(
        "gunicorn.error", logging.ERROR, "", 0, "Error handling request %s %s",
        ("GET", "/v1/jobs/job_1/events?token=apwv_secret&limit=1"), None,
    )  # fmt: skip
    assert WithoutQueries().filter(record)
    assert record.getMessage() == "Error handling request GET /v1/jobs/job_1/events?..."


def test_a_project_keeps_no_more_streams_open_than_its_quota() -> None:
    streams = OpenStreams(10)
    first = streams.take("prj_a", 1)
    with pytest.raises(Later) as refused:
        streams.take("prj_a", 1)
    assert refused.value.code == "too_many_open_streams"
    streams.take("prj_b", 1)
    first.leave()
    first.leave()
    streams.take("prj_a", 1)
