"""`summarize`: sentences of the text, chosen alike each time."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.worker.capabilities.summarize import capability, fold
from tests.unit.capabilities.units import context_of, unit_of

STORY = (
    "The bakery in the harbour burned on Monday. The fire in the bakery began in the old oven. "
    "Someone saw a cat. Firemen from the harbour put the bakery fire out in an hour. "
    "It may rain soon in the hills. The baker will build a new bakery with a new oven."
)


def summary(*texts: Any, **params: Any) -> str:
    found = capability.run(unit_of(*texts), context_of(**params))
    assert list(found) == ["summary"]
    return str(found["summary"])


def test_a_summary_is_made_of_sentences_of_the_text_in_their_order() -> None:
    found = summary(STORY, sentences=2)
    first, second = found.split(". ", 1)
    assert STORY.index(first) < STORY.index(second)


def test_what_the_text_speaks_of_is_picked_and_what_it_mentions_is_not() -> None:
    found = summary(STORY, sentences=3)
    assert "bakery" in found
    assert "cat" not in found
    assert "rain" not in found


def test_the_same_text_gives_the_same_summary() -> None:
    assert summary(STORY, sentences=2) == summary(STORY, sentences=2)


@pytest.mark.parametrize("texts", [(), (None,), ("",), (" \n ",), (None, "")])
def test_nothing_is_summarised_as_the_empty_text(texts: tuple[Any, ...]) -> None:
    assert summary(*texts) == ""


def test_a_short_text_is_its_own_summary() -> None:
    assert summary("Only this was ever said here.", sentences=3) == "Only this was ever said here."


def test_the_rows_of_a_group_are_read_as_one_text() -> None:
    found = summary("The bakery burned down today.", None, "The baker built it anew.", sentences=5)
    assert found == "The bakery burned down today. The baker built it anew."


def test_headings_labels_and_directions_are_not_picked() -> None:
    text = (
        "ACT I\n\nSCENE I. A street near the old harbour wall.\n\n"
        " Enter Anna and Ben with many loaves of bread.\n\n"
        "ANNA.\nThe bread is still warm from the oven.\n\n [_They both go out to the street._]\n"
    )
    assert summary(text, sentences=5) == "The bread is still warm from the oven."


def test_headings_stand_in_where_there_is_nothing_else() -> None:
    assert summary("CONTENTS", sentences=2) == "CONTENTS"


def test_indented_prose_is_not_taken_for_directions() -> None:
    text = "  The first thing happened here.\n\n  The second thing happened there.\n"
    assert "second thing" in summary(text, sentences=2)


def test_a_repeated_sentence_is_picked_once_while_others_remain() -> None:
    text = "The oven in the bakery is hot. " * 5 + "The harbour lies under snow today."
    assert summary(text, sentences=2).count("oven") == 1


def test_a_group_of_thousands_of_sentences_is_folded() -> None:
    sentences = [f"Report {n} tells of storm number {n} over the coast." for n in range(20_000)]
    found = fold(sentences, 3)
    assert len(found) == 3
    assert set(found) <= set(sentences)


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=400), st.integers(1, 10))
def test_folding_keeps_order_and_count(sentences: list[str], count: int) -> None:
    numbered = [f"{index} {sentence}" for index, sentence in enumerate(sentences)]
    found = fold(numbered, count)
    assert len(found) == min(count, len(numbered))
    assert found == sorted(found, key=numbered.index)


def test_one_very_long_line_gives_a_short_summary() -> None:
    assert 0 < len(summary("word " * 200_000, sentences=3)) <= 1600


def test_languages_without_spaces_are_cut_at_their_own_stops() -> None:
    assert summary("今日は雨が降っています。明日は晴れるでしょう。", sentences=1).endswith("。")
