"""A judge sees what the replicas saw: the images as images, and no base64 as text."""

import asyncio
from dataclasses import replace
from typing import Any, cast

from services.worker.ask import UnitAsk
from services.worker.judge import judge
from shared.capabilities.contract import Unit
from tests.pictures import data_url, picture
from tests.unit.capabilities.scripted_ask import ScriptedAsk, says
from tests.unit.worker.stage_runs import stage_run


def test_a_judge_is_shown_the_images_of_the_unit() -> None:
    photo = data_url(picture())
    run = stage_run()
    run = replace(
        run,
        spec=replace(run.spec, params={"images": ["photo"]}, replicas=2, agree="judge"),
        record=replace(run.record, brief=""),
    )
    ask = ScriptedAsk(says({"choice": 2}))
    answers: list[Any] = [[{"word": "cat"}], [{"word": "dog"}]]

    chosen = asyncio.run(judge(cast("UnitAsk", ask), run, Unit(0, [{"photo": photo}]), answers))

    assert getattr(chosen, "rows", None) == [{"word": "dog"}]
    text, *shown = ask.asked[0]["messages"][1]["content"]
    assert "[image 1]" in text["text"]
    assert "base64" not in text["text"]
    assert [part["image_url"]["url"] for part in shown if part["type"] == "image_url"] == [photo]
