"""The worker's model door against the fake endpoint: how it remembers what a schema needs."""

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import pytest

from services.worker.account import Account
from services.worker.ask import UnitAsk
from services.worker.model_door import Caller, ModelDoor
from services.worker.model_ended import ModelEndedError
from shared.contracts.output_schema import strict_schema
from shared.domain.budget import Spend
from shared.domain.model_call import Reply
from shared.llm.endpoints import endpoints_of
from shared.llm.limiter import Limiter
from shared.llm.purse import Purse
from shared.settings import Settings, load_settings
from tests.fake_llm.process import FakeModel

MESSAGES = [
    {"role": "system", "content": "Label it."},
    {"role": "user", "content": "MARK-00001 x"},
]


def schema_of(column: str) -> dict[str, Any]:
    return strict_schema({"type": "object", "properties": {column: {"type": "string"}}})


def ask_of(door: ModelDoor) -> UnitAsk:
    purse = Purse(lambda: None)
    purse.filled(Spend(10**9, 10**9, 10**9))
    caller = Caller(
        job_id="job", project_id="project", weight=1.0, small=False, retries=2, deadline_s=10.0,
        failed={}, stopped=lambda: False, purse=purse,
    )  # fmt: skip
    return UnitAsk(door, caller, Account())


def door_to(model: FakeModel, settings: Settings, **more: str) -> ModelDoor:
    told = load_settings(
        {
            "OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-test", "APWA_MODEL": "fake",
            "APWA_DATABASE_URL": settings.database_url, "APWA_REDIS_URL": settings.redis_url,
            **more,
        }
    )  # fmt: skip
    return ModelDoor(endpoints_of(told), {}, Limiter(told.redis_url, "worker"), told)


def test_a_form_an_endpoint_refuses_is_asked_for_once_for_each_schema(
    settings: Settings, tmp_path: Path
) -> None:
    # given an endpoint nobody probed that does not take json_schema
    async def scenario(model: FakeModel) -> list[int | None]:
        door = door_to(model, settings)
        ask = ask_of(door)
        for _ in range(3):  # each time another object, as from a stage that was prepared again
            reply = await ask(MESSAGES, schema=schema_of("label"))
            assert isinstance(reply, Reply)
            del reply
            gc.collect()
        await door.close()
        return [call.status for call in model.calls()]

    with FakeModel(tmp_path, abilities={"json_schema": False}) as model:
        assert asyncio.run(scenario(model)) == [400, 200, 200, 200]


def test_a_schema_never_gets_the_form_of_another_that_is_gone(
    settings: Settings, tmp_path: Path
) -> None:
    # given a schema that was lowered, and many that may come to lie where it lay
    async def scenario(model: FakeModel) -> list[int | None]:
        door = door_to(model, settings)
        ask = ask_of(door)
        await ask(MESSAGES, schema=schema_of("label"))
        model.change(abilities={"json_schema": True})
        for number in range(20):
            await ask(MESSAGES, schema=schema_of(f"label_{number}"))
        await door.close()
        requests = [call.request for call in model.calls()[2:]]
        forms = [request["response_format"] for request in requests if request is not None]
        assert [form["type"] for form in forms] == ["json_schema"] * 20
        for number, form in enumerate(forms):
            assert list(form["json_schema"]["schema"]["properties"]) == [f"label_{number}"]
        return [call.status for call in model.calls()]

    with FakeModel(tmp_path, abilities={"json_schema": False}, keep_requests=True) as model:
        assert asyncio.run(scenario(model)) == [400, 200] + [200] * 20


def test_fallbacks_that_name_each_other_get_one_turn_each(
    settings: Settings, tmp_path: Path
) -> None:
    async def scenario(model: FakeModel) -> ModelEndedError:
        named = {
            name: {"base_url": model.base_url, "model": name, "fallback": other}
            for name, other in (("worker", "spare"), ("spare", "worker"))
        }
        door = door_to(model, settings, APWA_ENDPOINTS=json.dumps(named))
        with pytest.raises(ModelEndedError) as caught:
            await ask_of(door)(MESSAGES)
        await door.close()
        return caught.value

    with FakeModel(tmp_path, rates={"401": 1.0}) as model:
        ended = asyncio.run(scenario(model))
        assert ended.code == "permanent"
        assert [call.model for call in model.calls()] == ["worker", "spare"]
