"""The openai package, unchanged, against `/openai/v1`, with the fake endpoint behind it."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import APIStatusError, AsyncOpenAI, AuthenticationError, NotFoundError, OpenAI
from openai.types import Batch, FileObject
from openai.types.chat import ChatCompletion
from typer.testing import CliRunner

from services.cli.app import app
from shared.actions.actor import SCOPES
from shared.actions.keys import create_key
from shared.database import keys
from shared.database.engine import connect
from shared.domain.ids import new_id
from tests.acceptance.model_work.test_model_work import stack_with
from tests.eventually import eventually
from tests.fake_llm.process import FakeModel
from tests.stack import ROOT, Stack

WINDOW: Any = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
ENDED = {"completed", "failed", "cancelled", "expired"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeModel]:
    with FakeModel(tmp_path_factory.mktemp("model")) as made:
        yield made


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], model: FakeModel) -> Stack:
    return stack_with(make_module_stack, model, APWA_CHAT_MAX_OUTPUT_TOKENS="500")


@pytest.fixture
def client(stack: Stack) -> Iterator[OpenAI]:
    with OpenAI(base_url=address(stack), api_key=stack.key, max_retries=0) as made:
        yield made


def address(stack: Stack) -> str:
    return f"http://127.0.0.1:{stack.api_port}/openai/v1"


def request(custom_id: str, text: str, **body: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "fake", "messages": messages, **body},
    }


def written(folder: Path, requests: list[dict[str, Any]]) -> Path:
    path = folder / "requests.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in requests))
    return path


def started(client: OpenAI, folder: Path, requests: list[dict[str, Any]]) -> Batch:
    file = client.files.create(file=written(folder, requests), purpose="batch")
    return client.batches.create(input_file_id=file.id, **WINDOW)


def ended(client: OpenAI, batch: Batch) -> Batch:
    def look() -> Batch | None:
        found = client.batches.retrieve(batch.id)
        return found if found.status in ENDED else None

    return eventually(look, within=60)


def lines(client: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    assert file_id is not None
    return [json.loads(one) for one in client.files.content(file_id).text.splitlines()]


def test_a_thousand_lines_complete_and_parse_with_the_packages_types(
    stack: Stack, client: OpenAI, model: FakeModel, tmp_path: Path
) -> None:
    model.forget()
    asked = [request(f"r{no}", f"Say MARK-{no:05d}.") for no in range(1_000)]
    path = written(tmp_path, asked)

    async def start() -> Batch:
        async with AsyncOpenAI(base_url=address(stack), api_key=stack.key) as made:
            file = await made.files.create(file=path, purpose="batch")
            return await made.batches.create(
                input_file_id=file.id, metadata={"customer": "42"}, **WINDOW
            )

    async def read(batch: Batch) -> tuple[str, FileObject, list[str]]:
        async with AsyncOpenAI(base_url=address(stack), api_key=stack.key) as made:
            assert batch.output_file_id is not None
            output = await made.files.content(batch.output_file_id)
            told = await made.files.retrieve(batch.output_file_id)
            return output.text, told, [one.id async for one in made.batches.list(limit=1)]

    batch = ended(client, asyncio.run(start()))
    output, told, listed = asyncio.run(read(batch))

    assert batch.status == "completed", (batch, stack.logs("worker")[-3000:])
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"completed": 1_000, "failed": 0, "total": 1_000}
    assert (batch.error_file_id, batch.errors, batch.model) == (None, None, "fake")
    assert batch.metadata == {"customer": "42"}
    assert batch.usage is not None
    assert batch.usage.input_tokens == sum(call.tokens_in for call in model.calls())
    assert batch.id in listed
    assert (told.bytes, told.purpose) == (len(output.encode()), "batch_output")
    answers = [json.loads(one) for one in output.splitlines()]
    assert [one["custom_id"] for one in answers] == [one["custom_id"] for one in asked]
    assert len({one["id"] for one in answers}) == 1_000
    for no, one in enumerate(answers):
        assert (one["error"], one["response"]["status_code"]) == (None, 200)
        assert isinstance(one["response"]["request_id"], str)
        completion = ChatCompletion.model_validate(one["response"]["body"])
        assert f"MARK-{no:05d}" in str(completion.choices[0].message.content)
    called = Counter(marker for call in model.calls() for marker in call.markers)
    assert called == {f"MARK-{no:05d}": 1 for no in range(1_000)}


def test_each_line_of_a_mixed_batch_ends_in_one_of_the_two_files(
    client: OpenAI, tmp_path: Path
) -> None:
    batch = started(
        client,
        tmp_path,
        [
            request("good", "Say MARK-00001."),
            request("later", "Say MARK-00002. FAULT:503*1"),
            request("refused", "Say MARK-00003. FAULT:refusal"),
            request("bad", "Say MARK-00004. FAULT:400"),
            request("unknown", "Say MARK-00005. FAULT:404"),
            request("page", "Say MARK-00006. FAULT:html"),
            request("greedy", "Say MARK-00007.", max_tokens=501),
            *(request(f"bad{no}", f"Say MARK-1{no:04d}. FAULT:context") for no in range(30)),
        ],
    )

    found = ended(client, batch)

    assert found.status == "completed", found
    assert found.request_counts is not None
    assert found.request_counts.model_dump() == {"completed": 3, "failed": 34, "total": 37}
    output = {one["custom_id"]: one for one in lines(client, found.output_file_id)}
    assert list(output) == ["good", "later", "refused"]
    refused = ChatCompletion.model_validate(output["refused"]["response"]["body"])
    assert refused.choices[0].message.refusal
    errors = {one["custom_id"]: one for one in lines(client, found.error_file_id)}
    assert [one for one in errors if not one.startswith("bad")] == ["unknown", "page", "greedy"]
    for name, status in (("bad", 400), ("unknown", 404), ("bad29", 400)):
        answer = errors[name]["response"]
        assert (answer["status_code"], errors[name]["error"]) == (status, None)
        assert answer["body"]["error"]["message"]
    assert errors["page"]["error"]["code"] == "bad_response"
    assert errors["greedy"]["response"] is None
    assert errors["greedy"]["error"]["code"] == "too_many_tokens"


def test_output_is_there_while_it_runs_and_what_was_answered_survives_a_cancel(
    client: OpenAI, model: FakeModel, tmp_path: Path
) -> None:
    # given a batch whose last lines are never answered
    texts = [f"Say MARK-{no:05d}." + (" FAULT:hang" if no >= 60 else "") for no in range(80)]
    batch = started(client, tmp_path, [request(f"r{no}", text) for no, text in enumerate(texts)])

    # then the answers are readable one by one
    def growing() -> list[dict[str, Any]] | None:
        now = client.batches.retrieve(batch.id)
        assert now.status in {"validating", "in_progress"}, now
        found = lines(client, now.output_file_id) if now.output_file_id else []
        return found if len(found) >= 20 else None

    some = eventually(growing, within=30)
    assert batch.output_file_id is None
    assert {one["response"]["status_code"] for one in some} == {200}

    # when it is cancelled, every line is in one of the files
    stopped = client.batches.cancel(batch.id)
    assert stopped.status in {"cancelling", "cancelled"}
    found = ended(client, batch)
    assert found.status == "cancelled"
    assert None not in (found.cancelled_at, found.cancelling_at)
    output = [one["custom_id"] for one in lines(client, found.output_file_id)]
    errors = lines(client, found.error_file_id)
    assert {one["custom_id"] for one in some} <= set(output)
    assert {one["error"]["code"] for one in errors} == {"batch_cancelled"}
    ids = [*output, *(one["custom_id"] for one in errors)]
    assert sorted(ids) == sorted(f"r{no}" for no in range(80))


def test_a_file_with_bad_lines_fails_with_their_numbers(client: OpenAI, tmp_path: Path) -> None:
    good = request("a", "Say MARK-00001.")
    bad = [{**good, "url": "/v1/embeddings"}, good, request("b", "x", model="gpt-unheard-of")]

    batch = started(client, tmp_path, [good, *bad])

    assert batch.status == "failed"
    assert batch.errors is not None
    assert [(one.line, one.code) for one in batch.errors.data or []] == [
        (2, "invalid_url"),
        (3, "duplicate_custom_id"),
        (4, "model_not_found"),
    ]


def test_the_package_raises_its_own_exceptions_with_our_sentences(
    stack: Stack, client: OpenAI, tmp_path: Path
) -> None:
    file = client.files.create(file=written(tmp_path, [request("a", "b")]), purpose="batch")
    other = client.with_options(api_key=key_of_another_project(stack))

    with pytest.raises(NotFoundError, match="There is no such file") as refused:
        other.files.retrieve(file.id)
    assert refused.value.code == "not_found"
    with pytest.raises(NotFoundError):
        other.files.content(file.id)
    with pytest.raises(NotFoundError) as unknown:
        other.batches.create(input_file_id=file.id, **WINDOW)
    assert unknown.value.param == "input_file_id"
    assert list(other.files.list()) == []
    with pytest.raises(AuthenticationError, match="valid key"):
        client.with_options(api_key="apwa_no").batches.list()
    with pytest.raises(NotFoundError):
        client.chat.completions.create(model="fake", messages=[])
    with pytest.raises(APIStatusError, match="Choose one of batch") as purpose:
        client.files.create(file=b"{}", purpose="vision")
    assert (purpose.value.status_code, purpose.value.param) == (422, "purpose")
    assert client.models.retrieve("fake").owned_by == "default"
    assert "fake" in [one.id for one in client.models.list()]
    kept = client.files.create(
        file=written(tmp_path, [request("a", "b")]), purpose="batch",
        expires_after={"anchor": "created_at", "seconds": 7_200},
    )  # fmt: skip
    assert (kept.expires_at or 0) - kept.created_at == 7_200
    assert client.files.delete(file.id).deleted is True
    with pytest.raises(NotFoundError):
        client.files.retrieve(file.id)


def key_of_another_project(stack: Stack) -> str:
    engine = connect(stack.settings.sqlalchemy_url, pool_size=1, application_name="apwa-tests")
    with engine.begin() as connection:
        other = keys.insert_project(connection, new_id("prj"), "other")
        key = create_key(connection, other, "other", SCOPES)[1]
    engine.dispose()
    return key


def test_the_code_of_the_page_runs_as_it_stands(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    page = (ROOT / "docs" / "batches.md").read_text()
    [code] = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_BASE_URL", address(stack))
    monkeypatch.setenv("OPENAI_API_KEY", stack.key)

    exec(compile(code, "batches.md", "exec"), {})  # noqa: S102

    assert [one.split()[0] for one in capsys.readouterr().out.splitlines()] == ["r0", "r1", "r2"]


def test_the_command_line_does_the_same(
    stack: Stack, client: OpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APWA_API_URL", f"http://127.0.0.1:{stack.api_port}")
    monkeypatch.setenv("APWA_API_KEY", stack.key)

    def apwa(*words: str) -> str:
        told = CliRunner().invoke(app, words)
        assert told.exit_code == 0, (words, told.output, told.exception)
        return told.stdout

    path = written(tmp_path, [request("a", "Say MARK-00001."), request("b", "Say MARK-00002.")])
    made = json.loads(apwa("batches", "create", str(path), "--metadata", "customer=7", "--json"))
    batch = ended(client, Batch.model_validate(made))
    assert (batch.status, batch.metadata) == ("completed", {"customer": "7"})
    assert json.loads(apwa("batches", "get", batch.id))["status"] == "completed"
    assert batch.id in apwa("batches", "list")
    assert batch.output_file_id is not None
    apwa("files", "content", batch.output_file_id, "--output", str(tmp_path / "out.jsonl"))
    answers = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(one)["custom_id"] for one in answers] == ["a", "b"]
    assert json.loads(apwa("files", "get", batch.output_file_id))["purpose"] == "batch_output"
    assert batch.input_file_id in apwa("files", "list", "--purpose", "batch")
    file_id = apwa("files", "create", str(path), "--keep-s", "3600").strip()
    apwa("files", "delete", file_id)
    assert "fake" in apwa("batches", "models", "fake")
    broken = apwa("batches", "create", str(written(tmp_path, [{}])))
    assert "missing_required_parameter" in broken
