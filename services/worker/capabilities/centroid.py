"""Weighs sentences by how near they are to the middle of what all of them speak of."""

import math
import re
from collections import Counter
from collections.abc import Sequence

TOO_ALIKE = 0.5  # cosine; above it a sentence repeats one that is already picked
USUAL_WORDS = 12  # a sentence with fewer words says less than its likeness promises
_FIRST_BONUS = 0.05  # openings tend to introduce

_WORD = re.compile(r"[^\W_]+")
_NOT_SPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")

Vector = dict[str, float]


def most_telling(sentences: Sequence[str], count: int) -> list[str]:
    """Return up to `count` of the sentences, in their order.

    Time is linear in the number of sentences: each is compared with the centroid and with
    those picked. Equal weights go to the earlier sentence, so the answer is always the same.
    """
    if len(sentences) <= count:
        return list(sentences)
    vectors = _vectors(sentences)
    weights = _weights(sentences, vectors)
    ranked = sorted(range(len(sentences)), key=lambda index: (-weights[index], index))
    return [sentences[index] for index in sorted(_picked(ranked, vectors, count))]


def _vectors(sentences: Sequence[str]) -> list[Vector]:
    """Return unit vectors of term frequency by inverse sentence frequency."""
    counts = [Counter(_terms(sentence)) for sentence in sentences]
    holding = Counter(term for count in counts for term in count)
    vectors: list[Vector] = []
    for count in counts:
        vector = {
            term: (1 + math.log(times)) * math.log(1 + len(sentences) / holding[term])
            for term, times in count.items()
        }
        vectors.append(_of_unit_length(vector))
    return vectors


def _terms(sentence: str) -> list[str]:
    words = [word.casefold() for word in _WORD.findall(sentence)]
    if _NOT_SPACED.search(sentence) is None:
        return [word for word in words if len(word) > 3]  # short words are mostly grammar
    return [word[at : at + 2] for word in words for at in range(max(1, len(word) - 1))]


def _weights(sentences: Sequence[str], vectors: Sequence[Vector]) -> list[float]:
    centroid: Vector = {}
    for vector in vectors:
        for term, value in vector.items():
            centroid[term] = centroid.get(term, 0.0) + value
    centroid = _of_unit_length(centroid)
    return [
        _likeness(vector, centroid) * min(1.0, len(sentence.split()) / USUAL_WORDS)
        + (_FIRST_BONUS if index == 0 else 0.0)
        for index, (sentence, vector) in enumerate(zip(sentences, vectors, strict=True))
    ]


def _picked(ranked: Sequence[int], vectors: Sequence[Vector], count: int) -> list[int]:
    picked: list[int] = []
    passed: list[int] = []
    for index in ranked:
        if len(picked) == count:
            break
        if any(_likeness(vectors[index], vectors[other]) > TOO_ALIKE for other in picked):
            passed.append(index)
        else:
            picked.append(index)
    return picked + passed[: count - len(picked)]


def _of_unit_length(vector: Vector) -> Vector:
    length = math.sqrt(sum(value * value for value in vector.values()))
    return {term: value / length for term, value in vector.items()} if length else vector


def _likeness(one: Vector, other: Vector) -> float:
    if len(other) < len(one):
        one, other = other, one
    return sum(value * other[term] for term, value in one.items() if term in other)
