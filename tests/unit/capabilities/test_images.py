"""Images in columns: what is sent of them, what is refused, and that they never become text."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from services.worker.capabilities import agent, llm, llm_pack
from services.worker.capabilities.images import (
    BadImage,
    ImageCaps,
    image_parts,
    kind_of,
    with_images,
)
from shared.capabilities.contract import Returned, Unit
from shared.capabilities.image_labels import without_images
from shared.plans.render import render
from tests.pictures import data_url, picture
from tests.unit.capabilities.scripted_ask import ScriptedAsk, calls, says
from tests.unit.capabilities.units import context_of

CAPS = ImageCaps(3, 1_000)
PHOTO = {"images": ["photo"]}
OUTPUT = {
    "type": "object",
    "properties": {"label": {"type": "string"}},
    "required": ["label"],
    "additionalProperties": False,
}


def addresses(message: dict[str, Any]) -> list[str]:
    """Return the images a message shows, in order."""
    parts = message["content"] if isinstance(message["content"], list) else []
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


def refusal(value: Any, caps: ImageCaps = CAPS) -> str:
    with pytest.raises(BadImage) as refused:
        image_parts([{"photo": value}], PHOTO, caps)
    assert refused.value.code == "bad_image"
    return str(refused.value)


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_an_image_becomes_a_part_behind_its_label(kind: str) -> None:
    address = data_url(picture(kind=kind), kind)

    assert image_parts([{"photo": address}], PHOTO, CAPS) == [
        {"type": "text", "text": "[image 1]"},
        {"type": "image_url", "image_url": {"url": address}},
    ]


def test_the_content_and_not_the_name_says_what_an_image_is() -> None:
    mislabelled = data_url(picture(kind="jpeg"), "png")

    [_, shown] = image_parts([{"photo": mislabelled}], PHOTO, CAPS)

    assert shown["image_url"]["url"] == data_url(picture(kind="jpeg"), "jpeg")


def test_wrapped_lines_of_base64_are_joined() -> None:
    address = data_url(picture())
    wrapped = address[:40] + "\n" + address[40:80] + "\r\n" + address[80:] + "\n"

    assert image_parts([{"photo": wrapped}], PHOTO, CAPS)[1]["image_url"]["url"] == address


@pytest.mark.parametrize(
    "value",
    [
        "https://example.com/cat.png",
        "file:///etc/passwd",
        "a cat",
        "data:text/html;base64,PGI+",
        "data:image/png,raw",
        ["data:image/png;base64,iVBORw0KGgo="],
        7,
        {"url": "data:image/png;base64,iVBORw0KGgo="},
    ],
)
def test_what_is_no_data_address_of_an_image_is_refused_and_never_fetched(value: Any) -> None:
    assert "data:image/png;base64," in refusal(value)


@pytest.mark.parametrize("encoded", ["", "%%%", "iVBORw0KGgo", "iVBÖ"])
def test_what_is_not_base64_or_empty_is_refused(encoded: str) -> None:
    told = refusal(f"data:image/png;base64,{encoded}")

    assert "base64" in told or "neither png" in told


@pytest.mark.parametrize("content", [b"\x7fELF" + bytes(60), b"<svg></svg>", b"BM" + bytes(60)])
def test_bytes_of_another_kind_are_refused_whatever_their_name(content: bytes) -> None:
    assert "neither png, jpeg, gif nor webp" in refusal(data_url(content))


def test_too_many_bytes_are_refused_over_all_images_of_a_unit() -> None:
    assert "APWA_UNIT_MAX_IMAGE_BYTES" in refusal(data_url(picture(size=2_000)))
    rows = [{"photo": data_url(picture(str(number), size=500))} for number in range(2)]
    assert len(image_parts(rows[:1], PHOTO, CAPS)) == 2
    with pytest.raises(BadImage, match="1,000 bytes"):
        image_parts(rows, PHOTO, CAPS)


def test_too_many_images_are_refused_with_their_number() -> None:
    rows = [{"photo": data_url(picture())}] * 4
    with pytest.raises(BadImage, match="has 4 images; 3 are allowed"):
        image_parts(rows, PHOTO, CAPS)


def test_an_image_as_large_as_allowed_is_sent() -> None:
    content = picture(size=1_000 - 8)
    assert len(content) == CAPS.bytes
    assert len(image_parts([{"photo": data_url(content)}], PHOTO, CAPS)) == 2


@pytest.mark.parametrize("nothing", [None, "", "  \n"])
def test_a_row_without_an_image_is_no_failure(nothing: Any) -> None:
    messages = [{"role": "user", "content": "Hi"}]

    assert with_images(messages, [{"photo": nothing}], PHOTO) == messages
    assert without_images(Unit(0, [{"photo": nothing}]), PHOTO).rows == [{"photo": None}]


def test_templates_see_labels_that_count_over_the_rows_of_the_unit() -> None:
    photo = data_url(picture())
    unit = Unit(
        0,
        [{"id": 1, "photo": photo, "plan": None}, {"id": 2, "photo": photo, "plan": photo}],
        before=[{"id": 0, "photo": photo, "plan": None}],
    )

    shown = without_images(unit, {"images": ["photo", "plan"]})

    assert [(row["photo"], row["plan"]) for row in shown.rows] == [
        ("[image 1]", None),
        ("[image 2]", "[image 3]"),
    ]
    assert shown.before[0]["photo"] == "[image not shown]"
    text = render("{{ rows }}", shown.rows, False, {}, {}, before=shown.before)
    assert "base64" not in text
    assert unit.rows[0]["photo"] == photo, "the unit itself stays as it is: it is what is hashed"


def test_the_bytes_decide_the_kind() -> None:
    assert kind_of(b"RIFF1234WAVE") is None
    assert kind_of(b"") is None


def test_llm_sends_the_image_beside_the_text() -> None:
    photo = data_url(picture())
    ask = ScriptedAsk(says({"label": "cat"}))
    context = replace(
        context_of(**PHOTO), ask=ask, output=OUTPUT, prompt="What is on [image 1]?"
    )  # fmt: skip

    ended = asyncio.run(llm.capability.run(Unit(0, [{"photo": photo}]), context))

    assert ended == Returned({"label": "cat"})
    [system, user] = ask.asked[0]["messages"]
    assert addresses(user) == [photo]
    assert "What is on [image 1]?" in user["content"][0]["text"]
    assert "base64" not in system["content"] + user["content"][0]["text"]


def test_llm_calls_nobody_for_a_bad_image() -> None:
    ask = ScriptedAsk(says({"label": "cat"}))
    context = replace(context_of(**PHOTO), ask=ask, output=OUTPUT, prompt="?")

    with pytest.raises(BadImage):
        asyncio.run(llm.capability.run(Unit(0, [{"photo": "cat.png"}]), context))

    assert ask.asked == []


def test_packed_units_show_their_own_images_and_a_bad_one_spoils_no_neighbour() -> None:
    good = [data_url(picture(str(number))) for number in range(3)]
    units = [Unit(number, [{"photo": photo}]) for number, photo in enumerate([*good, "cat.png"])]
    items = [{"id": str(number), "output": {"label": f"cat {number}"}} for number in range(3)]
    ask = ScriptedAsk(says({"answers": items}))
    contexts = [
        replace(context_of(**PHOTO), ask=ask, output=OUTPUT, prompt=f"row {unit.index}")
        for unit in units
    ]

    ended = asyncio.run(llm_pack.run_pack(units, contexts))

    assert [one.rows for one in ended if isinstance(one, Returned)] == [
        {"label": f"cat {number}"} for number in range(3)
    ]
    assert isinstance(ended[3], BadImage)
    [call] = ask.asked
    parts = call["messages"][1]["content"]
    assert addresses(call["messages"][1]) == good
    for number, photo in enumerate(good):
        place = next(at for at, part in enumerate(parts) if photo in json.dumps(part))
        assert f'"{number}"' in parts[place - 2]["text"], "the part before its label names the unit"
    assert '<unit id="3">' not in parts[0]["text"]


def test_a_group_of_images_is_folded_by_what_images_take() -> None:
    rows = [{"photo": data_url(picture(str(number)))} for number in range(6)]
    ask = ScriptedAsk(says({"label": "cats"}), context_tokens=6_000)
    context = replace(
        context_of(**PHOTO), ask=ask, output=OUTPUT, prompt="short",
        render=lambda part: f"{len(part)} rows",
    )  # fmt: skip

    asyncio.run(llm.capability.run(Unit(0, rows), context))

    shown = [addresses(call["messages"][1]) for call in ask.asked]
    assert len(shown) >= 3
    assert [one for call in shown for one in call] == [row["photo"] for row in rows]


def test_a_fold_with_a_bad_image_ends_before_its_first_call() -> None:
    rows = [{"photo": data_url(picture())} for _ in range(6)] + [{"photo": "cat.png"}]
    ask = ScriptedAsk(says({"label": "cats"}), context_tokens=6_000)
    context = replace(
        context_of(**PHOTO), ask=ask, output=OUTPUT, prompt="short", render=lambda _part: "rows"
    )

    with pytest.raises(BadImage, match="image 7"):
        asyncio.run(llm.capability.run(Unit(0, rows), context))

    assert ask.asked == []


def test_an_agent_is_shown_its_image_and_its_tools_see_the_label() -> None:
    photo = data_url(picture())
    ask = ScriptedAsk(calls(("search_text", {"text": "image"})), says({"label": "cat"}))
    context = replace(
        context_of(tools=["search_text"], **PHOTO), ask=ask, output=OUTPUT,
        prompt="What is on [image 1]?",
    )  # fmt: skip

    ended = asyncio.run(agent.capability.run(Unit(0, [{"photo": photo}]), context))

    assert ended.rows["label"] == "cat"
    assert addresses(ask.asked[0]["messages"][1]) == [photo]
    [told] = ask.results()
    assert "[image 1]" in told
    assert "base64" not in told
