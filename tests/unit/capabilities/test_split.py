"""`split` by headings: which lines are headings, and that no character is lost."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.worker.capabilities.patterns import PatternTooSlowError
from services.worker.capabilities.split import capability
from tests.unit.capabilities.units import context_of, unit_of

LEVELS = [
    {"column": "act", "pattern": "^ACT [IVX]+"},
    {"column": "scene", "pattern": "^(SCENE [IVX]+|THE PROLOGUE|CHORUS)"},
]

PLAY = """
ANNA, a baker.
BEN, her brother.
CHORUS.
Two Guests.

SCENE. A small town by the sea.


THE PROLOGUE

 Enter Chorus.

CHORUS.
Here bread is baked and here is told
How dough may rise when hearts are cold.

 [_Exit._]



ACT I

SCENE I. The bakery.

 Enter Anna.

ANNA.
The oven smokes.

SCENE II. A street.

BEN.
And so does all the town.

ACT II

 Enter Chorus.

CHORUS.
A year has gone, the bread is eaten.

 [_Exit._]

SCENE I. The harbour.

ANNA.
A ship!
"""


def rows(text: str | None, **params: Any) -> list[dict[str, Any]]:
    return capability.run(unit_of(text), context_of(**params))


def headings(text: str, **params: Any) -> list[tuple[str | None, str | None]]:
    return [(row["act"], row["scene"]) for row in rows(text, levels=LEVELS, **params)]


SCENES = [
    (None, "THE PROLOGUE"),
    ("ACT I", "SCENE I. The bakery."),
    ("ACT I", "SCENE II. A street."),
    ("ACT II", "CHORUS."),
    ("ACT II", "SCENE I. The harbour."),
]


def test_a_play_without_its_front_is_prologue_scenes_and_chorus() -> None:
    assert headings(PLAY, front="drop") == SCENES


def test_the_front_is_one_row_with_nulls_when_kept() -> None:
    assert headings(PLAY, front="keep") == [(None, None), *SCENES]


def test_the_front_is_kept_unless_the_plan_says_otherwise() -> None:
    assert headings(PLAY)[0] == (None, None)


def test_a_line_of_a_list_that_matches_is_no_heading() -> None:
    front = rows(PLAY, levels=LEVELS)[0]["text"]
    assert "CHORUS.\nTwo Guests." in front
    assert "SCENE. A small town" in front


def test_a_speakers_label_stays_in_the_section_it_opens() -> None:
    prologue = rows(PLAY, levels=LEVELS, front="drop")[0]["text"]
    assert "CHORUS.\nHere bread" in prologue


def test_a_label_speaking_again_stays_in_its_section() -> None:
    text = PLAY.replace("hearts are cold.\n", "hearts are cold.\n\n [_Bell._]\n\nCHORUS.\nHark!\n")
    assert headings(text, front="drop") == SCENES


def test_a_stage_direction_before_the_first_scene_goes_in_front_of_it() -> None:
    chorus = rows(PLAY, levels=LEVELS, front="drop")[3]["text"]
    assert chorus.startswith("ACT II\n\n Enter Chorus.\n\nCHORUS.\n")


def test_real_text_before_the_first_scene_is_a_row_of_its_own() -> None:
    text = "ACT I\n\nA long night has begun here.\n\nSCENE I\n\nDawn.\n"
    assert headings(text) == [("ACT I", None), ("ACT I", "SCENE I")]


def test_a_new_outer_heading_resets_the_inner_one() -> None:
    text = "ACT I\n\nSCENE I\n\nOne.\n\nACT II\n\nNo scene here.\n"
    assert headings(text) == [("ACT I", "SCENE I"), ("ACT II", None)]


def test_a_heading_right_under_an_outer_one_counts() -> None:
    assert headings("ACT I\nSCENE I\nOne.\n\nSCENE II\nTwo.\n") == [
        ("ACT I", "SCENE I"),
        ("ACT I", "SCENE II"),
    ]


def test_an_empty_section_makes_no_row_and_its_heading_is_kept() -> None:
    found = rows("SCENE I\n\nSCENE II\n\nText.\n", levels=LEVELS)
    assert [(row["scene"], row["text"]) for row in found] == [
        ("SCENE II", "SCENE I\n\nSCENE II\n\nText.\n")
    ]


def test_an_empty_section_at_the_end_joins_the_last_row() -> None:
    found = rows("SCENE I\n\nText.\n\nSCENE II\n", levels=LEVELS)
    assert [row["text"] for row in found] == ["SCENE I\n\nText.\n\nSCENE II\n"]


CHAPTERS = [{"column": "chapter", "pattern": r"Chapter \d+"}]


def test_headings_in_a_text_without_blank_lines_all_count() -> None:
    text = "Chapter 1\nIt rained.\nChapter 2\nIt stopped.\nChapter 3\nSun."
    found = [row["chapter"] for row in rows(text, levels=CHAPTERS)]
    assert found == ["Chapter 1", "Chapter 2", "Chapter 3"]


def test_a_wrapped_line_of_prose_is_no_heading_where_headings_stand_apart() -> None:
    text = (
        "Preface.\n\nChapter 1\n\nAs told in\nChapter 3 of this book, it rained.\n\n"
        "Chapter 2\n\nIt stopped.\n\nChapter 3\n\nSun.\n"
    )
    found = [row["chapter"] for row in rows(text, levels=CHAPTERS, front="drop")]
    assert found == ["Chapter 1", "Chapter 2", "Chapter 3"]


def test_numbered_headings_are_never_taken_for_labels() -> None:
    text = "Chapter 1.\n\n  An aside.\n\nChapter 2.\nIt stopped.\n"
    found = [row["chapter"] for row in rows(text, levels=CHAPTERS)]
    assert found == ["Chapter 1.", "Chapter 2."]


def test_a_pattern_matches_at_the_start_of_a_line_only() -> None:
    found = rows("see Chapter 1\n\nText\n", levels=CHAPTERS)
    assert [row["chapter"] for row in found] == [None]


def test_windows_line_ends_make_no_difference() -> None:
    text = PLAY.replace("\n", "\r\n")
    assert headings(text, front="drop") == SCENES
    assert "".join(row["text"] for row in rows(text, levels=LEVELS)) == text


def test_positions_count_from_one() -> None:
    assert [row["position"] for row in rows(PLAY, levels=LEVELS)] == [1, 2, 3, 4, 5, 6]


def test_a_text_without_headings_is_one_row_even_if_the_front_is_dropped() -> None:
    assert rows("Only words.", levels=CHAPTERS, front="drop") == [
        {"text": "Only words.", "position": 1, "chapter": None}
    ]


@pytest.mark.parametrize("text", [None, "", " \n\t\r\n "])
@pytest.mark.parametrize("way", [{"levels": LEVELS}, {"by": "sentence"}, {"by": "paragraph"}])
def test_a_text_with_nothing_in_it_gives_no_rows(text: str | None, way: dict[str, Any]) -> None:
    assert rows(text, **way) == []


def test_several_rows_in_a_unit_are_one_text() -> None:
    unit = unit_of("Chapter 1\n\nOne.", "Chapter 2\n\nTwo.")
    found = capability.run(unit, context_of(levels=CHAPTERS))
    assert [row["chapter"] for row in found] == ["Chapter 1", "Chapter 2"]


_LINES = st.sampled_from(
    [
        "ACT I",
        "ACT II",
        "SCENE I. Here",
        "CHORUS.",
        "THE PROLOGUE",
        "",
        "",
        " Enter X.",
        "Words.",
        "é",
    ]
)


@settings(deadline=None)
@given(st.lists(_LINES, max_size=40), st.sampled_from(["\n", "\r\n", "\r"]))
def test_the_rows_joined_are_the_text(lines: list[str], end: str) -> None:
    text = end.join(lines)
    joined = "".join(row["text"] for row in rows(text, levels=LEVELS, front="keep"))
    assert joined == (text if text.strip() else "")


@settings(deadline=None)
@given(st.lists(_LINES, max_size=40))
def test_dropping_the_front_drops_nothing_else(lines: list[str]) -> None:
    text = "\n".join(lines)
    kept = rows(text, levels=LEVELS, front="keep")
    dropped = rows(text, levels=LEVELS, front="drop")
    assert text.endswith("".join(row["text"] for row in dropped))
    assert len(kept) - len(dropped) in (0, 1)


@settings(deadline=None)
@given(
    st.text(alphabet="ab. \n!?\r\u2028。é", max_size=200),
    st.sampled_from(["paragraph", "sentence", "tokens"]),
    st.integers(1, 5),
)
def test_pieces_of_any_size_joined_are_the_text(text: str, by: str, size: int) -> None:
    joined = "".join(row["text"] for row in rows(text, by=by, size=size))
    assert joined == (text if text.strip() else "")


def test_paragraphs_and_sentences_are_counted_by_size() -> None:
    text = "One is. Two is.\n\nThree is. Four is."
    assert [row["text"] for row in rows(text, by="paragraph")] == [
        "One is. Two is.\n\n",
        "Three is. Four is.",
    ]
    assert [row["text"] for row in rows(text, by="sentence", size=3)] == [
        "One is. Two is.\n\nThree is. ",
        "Four is.",
    ]


def test_abbreviations_and_initials_end_no_sentence() -> None:
    text = "Dr. Mary J. Hill saw No. 5 e.g. yesterday. He said no. Then he left."
    assert [row["text"].strip() for row in rows(text, by="sentence")] == [
        "Dr. Mary J. Hill saw No. 5 e.g. yesterday.",
        "He said no.",
        "Then he left.",
    ]


def test_token_pieces_hold_at_most_four_characters_a_token() -> None:
    found = rows("word " * 2000, by="tokens", size=50)
    assert len(found) > 10
    assert all(len(row["text"]) <= 200 for row in found)


def test_one_very_long_line_is_cut_all_the_same() -> None:
    text = "word " * 200_000
    assert rows(text, levels=LEVELS)[0]["text"] == text
    assert (
        "".join(row["text"] for row in rows(text[:50_000], by="tokens", size=500)) == text[:50_000]
    )


def test_a_pattern_without_end_is_stopped() -> None:
    levels = [{"column": "x", "pattern": "(a|aa)+$"}]
    unit = unit_of("a" * 80 + "b")
    with pytest.raises(PatternTooSlowError) as caught:
        capability.run(unit, context_of(timeout_s=0.1, levels=levels))
    assert (caught.value.code, caught.value.transient) == ("pattern_too_slow", False)
