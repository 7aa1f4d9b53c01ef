"""Images in columns, through the public door: sent as images, each with its own row only."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from shared.database import endpoint_abilities
from shared.database.engine import connect
from shared.llm.abilities import Abilities
from shared.llm.endpoints import endpoints_of
from shared.settings import load_settings
from tests.acceptance.model_work.test_model_work import OUTPUT, stack_with
from tests.fake_llm.process import FakeModel
from tests.fake_llm.prompt import image_hash
from tests.pictures import data_url, picture
from tests.stack import Stack

ROWS = 30
BAD, NONE = 7, 8  # a row with an address of the web, and one without an image
LARGE = 400_000  # bytes of one picture: far more tokens than the model takes, were it text


def photo(number: int) -> str:
    return data_url(picture(f"photo {number}", size=LARGE if number == 0 else 90))


def photos(**changes: Any) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {"id": number, "text": f"MARK-{number:05d}", "photo": photo(number)}
        for number in range(ROWS)
    ]
    rows[BAD]["photo"] = "https://example.com/cat.png"
    rows[NONE]["photo"] = None
    return {"photos": {"rows": [{**row, **changes} for row in rows], "key": "id"}}


def seeing_plan(**stage: Any) -> dict[str, Any]:
    sound = {
        "name": "labels",
        "over": "photos",
        "unit": {"rows": 1},
        "capability": "llm",
        "params": {"images": ["photo"]},
        "template": {"instructions": "Name it.", "input": "{{ text }}: {{ photo }}"},
        "output": OUTPUT,
        "keep": ["text"],
    }
    return {"version": 1, "stages": [sound | stage], "result": {"table": "labels"}}


def job(inputs: dict[str, Any], plan: dict[str, Any], **policy: Any) -> dict[str, Any]:
    policy = {"min_success": 0.9, "max_pack": 8, **policy}
    return {"plan": plan, "inputs": inputs, "policy": policy}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with FakeModel(tmp_path_factory.mktemp("model")) as started:
        yield started


@pytest.fixture(scope="module")
def stack(make_module_stack: Callable[..., Stack], model: FakeModel) -> Stack:
    return stack_with(make_module_stack, model, APWA_SHARD_SIZE="10")


@pytest.mark.parametrize("capability", ["llm", "agent"])
def test_every_call_shows_the_image_of_its_row_and_no_other(
    stack: Stack, model: FakeModel, capability: str
) -> None:
    # given rows with a picture each, but for one with an address and one with none
    model.forget()
    plan = seeing_plan(capability=capability)

    # when they are worked
    job_id = stack.submit(job(photos(), plan))
    ended = stack.wait(job_id)

    # then the bad one is a failed unit that was never called, and all others succeeded
    assert ended["status"] == "succeeded", (ended, stack.logs("worker")[-3000:])
    [failed] = stack.get(f"/v1/jobs/{job_id}/subtasks?outcome=failed").json["items"]
    assert (failed["unit"], failed["error"]["code"]) == (BAD, "bad_image")
    assert "an address on the web is not fetched" in failed["error"]["detail"]
    calls = model.calls()
    shown = {call.markers[0]: call.images for call in calls}
    assert len(calls) == len(shown) == ROWS - 1
    assert shown == {
        f"MARK-{number:05d}": [] if number == NONE else [image_hash(photo(number))]
        for number in range(ROWS)
        if number != BAD
    }

    # and what was sent as text is small: base64 is no text, neither sent nor counted
    assert all(call.tokens_in < 1_000 for call in calls)


def test_the_same_images_are_reused_and_another_one_is_called(
    stack: Stack, model: FakeModel
) -> None:
    plan = seeing_plan(name="reused")
    plan["result"]["table"] = "reused"
    inputs = photos()
    assert stack.wait(stack.submit(job(inputs, plan)))["status"] == "succeeded"
    model.forget()
    inputs["photos"]["rows"][3]["photo"] = data_url(picture("another"))

    ended = stack.wait(stack.submit(job(inputs, plan, reuse="project")))

    assert ended["usage"]["cache_hits"] == ROWS - 2
    assert [call.images for call in model.calls()] == [[image_hash(data_url(picture("another")))]]


def test_packed_rows_share_a_call_with_their_images(stack: Stack, model: FakeModel) -> None:
    model.forget()

    packed = job(photos(), seeing_plan(params={"images": ["photo"], "pack": 8}), reuse="none")
    job_id = stack.submit(packed)
    ended = stack.wait(job_id)

    assert ended["status"] == "succeeded", (ended, stack.logs("worker")[-3000:])
    [failed] = stack.get(f"/v1/jobs/{job_id}/subtasks?outcome=failed").json["items"]
    assert (failed["unit"], failed["error"]["code"]) == (BAD, "bad_image")
    calls = model.calls()
    assert len(calls) < ROWS - 1
    for call in calls:
        of_rows = {int(marker.removeprefix("MARK-")) for marker in call.markers}
        assert set(call.images) == {image_hash(photo(row)) for row in of_rows - {NONE}}
    assert Counter(marker for call in calls for marker in call.markers).total() == ROWS - 1


def test_a_plan_for_an_endpoint_that_takes_no_images_is_refused(
    stack: Stack, model: FakeModel
) -> None:
    # given a probe that found out
    [endpoint] = endpoints_of(load_settings({**stack.environ, **model_settings(model)}))
    engine = connect(stack.settings.sqlalchemy_url, pool_size=1, application_name="apwa-tests")
    found = Abilities(images=False).to_json()
    with engine.begin() as connection:
        endpoint_abilities.save(
            connection, endpoint.name, endpoint.address_hash, endpoint.model, found
        )
    engine.dispose()

    # when a plan wants images there
    answer = stack.post("/v1/jobs", job(photos(), seeing_plan()))

    # then it is refused at its place, and one without images is taken
    assert answer.status == 422
    assert answer.json["code"] == "plan_invalid"
    [problem] = answer.json["errors"]
    assert problem["pointer"] == "/plan/stages/0/params/images"
    assert problem["code"] == "images_not_supported"
    blind = seeing_plan(params={}, template={"instructions": "Name it.", "input": "{{ text }}"})
    assert stack.post("/v1/jobs", job(photos(), blind)).status == 202


def model_settings(model: FakeModel) -> dict[str, str]:
    return {"OPENAI_BASE_URL": model.base_url, "APWA_MODEL": "fake"}
