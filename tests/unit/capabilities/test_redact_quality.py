"""The measure of `redact` counts what it says, and the classes reach their marks."""

import pytest

from bench.redact_data import samples
from bench.redact_quality import LEAST_PRECISION, LEAST_RECALL, Score, measure
from shared.capabilities.builtin.redact import CLASSES

PER_CLASS = 120


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    return {score.kind: score for score in measure(seed=20, per_class=PER_CLASS)}


@pytest.mark.parametrize("kind", CLASSES)
def test_a_class_reaches_its_marks(scores: dict[str, Score], kind: str) -> None:
    score = scores[kind]
    assert (score.true, score.negatives) == (PER_CLASS, 3 * PER_CLASS)
    assert score.recall >= LEAST_RECALL
    assert score.precision >= LEAST_PRECISION


def test_labelled_values_stand_in_their_texts() -> None:
    drawn = list(samples(seed=3, per_class=20))
    assert all(sample.value is None or sample.value in sample.text for sample in drawn)


def test_the_same_seed_draws_the_same_texts() -> None:
    assert list(samples(5, 5)) == list(samples(5, 5))
    assert list(samples(5, 5)) != list(samples(6, 5))


def test_a_score_below_its_mark_is_not_good() -> None:
    assert Score("email", true=100, negatives=300, found=98, right=95, wrong=5).good
    assert not Score("email", true=100, negatives=300, found=97, right=97, wrong=0).good
    assert not Score("email", true=100, negatives=300, found=100, right=100, wrong=6).good
