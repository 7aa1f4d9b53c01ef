"""Messages carry one id; anything else is refused before it costs a look at the database."""

import json
from typing import Any

import pytest

from shared.domain.ids import new_id
from shared.messages.collect_job import CollectJob
from shared.messages.deliver_events import DeliverEvents
from shared.messages.dispatch_job import DispatchJob
from shared.messages.envelope import MalformedMessage
from shared.messages.plan_job import PlanJob
from shared.messages.run_shard import RunShard

OF_JOBS = [PlanJob, DispatchJob, CollectJob]
NEVER: list[Any] = [
    None,
    "text",
    7,
    [],
    {},
    {"v": 1},
    {"job_id": "x", "shard_id": 1},
]


@pytest.mark.parametrize("message", OF_JOBS)
def test_a_message_about_a_job_is_read_as_it_was_written(message: Any) -> None:
    written = message(new_id("job"))
    assert message.decode(json.loads(json.dumps(written.encode()))) == written


@pytest.mark.parametrize("prefix", ["job", "whe"])
def test_a_message_about_webhooks_is_read_as_it_was_written(prefix: str) -> None:
    written = DeliverEvents(new_id(prefix))
    assert DeliverEvents.decode(json.loads(json.dumps(written.encode()))) == written


@pytest.mark.parametrize("source_id", [7, None, "", "job_", "tbl_" + "0" * 26, ["job"]])
def test_what_cannot_have_webhooks_is_refused(source_id: Any) -> None:
    with pytest.raises(MalformedMessage, match="source_id"):
        DeliverEvents.decode({"v": 1, "source_id": source_id})


@pytest.mark.parametrize("shard_id", [1, 2**63 - 1])
def test_a_message_about_a_shard_is_read_as_it_was_written(shard_id: int) -> None:
    written = RunShard(shard_id)
    assert RunShard.decode(json.loads(json.dumps(written.encode()))) == written


@pytest.mark.parametrize("body", NEVER)
@pytest.mark.parametrize("message", [*OF_JOBS, RunShard, DeliverEvents])
def test_what_is_no_envelope_is_refused(message: Any, body: Any) -> None:
    with pytest.raises(MalformedMessage):
        message.decode(body)


@pytest.mark.parametrize("version", [2, 0, True, 1.0, "1", None])
def test_an_unknown_version_is_refused(version: Any) -> None:
    with pytest.raises(MalformedMessage, match="version"):
        RunShard.decode({"v": version, "shard_id": 1})


@pytest.mark.parametrize("more", [{"more": 1}, {"job_id": "x"}])
def test_a_message_carries_nothing_else(more: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        RunShard.decode({"v": 1, "shard_id": 1, **more})


@pytest.mark.parametrize("shard_id", [0, -1, 2**63, True, 1.0, "1", None, [1]])
def test_what_cannot_be_a_shards_number_is_refused(shard_id: Any) -> None:
    with pytest.raises(MalformedMessage, match="shard_id"):
        RunShard.decode({"v": 1, "shard_id": shard_id})


@pytest.mark.parametrize("job_id", [7, None, "", "job_", "job_\x00", "tbl_" + "0" * 26, ["job"]])
@pytest.mark.parametrize("message", OF_JOBS)
def test_what_cannot_be_a_jobs_id_is_refused(message: Any, job_id: Any) -> None:
    with pytest.raises(MalformedMessage, match="job_id"):
        message.decode({"v": 1, "job_id": job_id})


def test_every_message_has_a_name_and_a_queue_of_its_own() -> None:
    every: list[Any] = [*OF_JOBS, RunShard, DeliverEvents]
    assert len({message.NAME for message in every}) == len(every)
    assert len({message.QUEUE for message in every}) == len(every)
