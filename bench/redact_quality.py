"""Measures recall and precision of `redact` per class: ``python -m bench.redact_quality``."""

import argparse
import json
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.redact_data import Sample, samples
from services.worker.capabilities.personal import find_personal
from services.worker.capabilities.personal.spans import Span
from shared.capabilities.builtin.redact import CLASSES, DEFAULT_REGIONS

OUT = Path(__file__).parent / "out" / "redact_quality.json"
LEAST_RECALL, LEAST_PRECISION = 0.98, 0.95


@dataclass(frozen=True, slots=True)
class Score:
    """`found` of `true` values were covered whole; `wrong` finds hit no value of their class."""

    kind: str
    true: int
    negatives: int
    found: int
    right: int
    wrong: int

    @property
    def recall(self) -> float:
        return self.found / self.true if self.true else 1.0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def good(self) -> bool:
        return self.recall >= LEAST_RECALL and self.precision >= LEAST_PRECISION


def measure(seed: int, per_class: int, misses: list[str] | None = None) -> list[Score]:
    """Return the scores by class; a find counts as wrong in whichever class's text it stands."""
    tally: Counter[tuple[str, str]] = Counter()
    for sample in samples(seed, per_class):
        spans = find_personal(sample.text, CLASSES, DEFAULT_REGIONS)
        _count(tally, sample, spans, misses)
    return [
        Score(
            kind=kind,
            **{
                name: tally[kind, name] for name in ("true", "negatives", "found", "right", "wrong")
            },
        )
        for kind in CLASSES
    ]


def _count(
    tally: Counter[tuple[str, str]], sample: Sample, spans: list[Span], misses: list[str] | None
) -> None:
    start = sample.text.find(sample.value) if sample.value is not None else -1
    end = start + len(sample.value or "")
    tally[sample.kind, "true" if sample.value is not None else "negatives"] += 1
    hit = False
    for span in spans:
        right = span.kind == sample.kind and span.start < end and span.end > start >= 0
        hit = hit or (right and span.start <= start and span.end >= end)
        tally[span.kind, "right" if right else "wrong"] += 1
        if not right and misses is not None:
            misses.append(f"wrong {span.kind}: {sample.text!r} -> {span.value!r}")
    if hit:
        tally[sample.kind, "found"] += 1
    elif sample.value is not None and misses is not None:
        misses.append(f"missed {sample.kind}: {sample.text!r} ({sample.value!r})")


def main() -> int:
    """Print the table, write it as JSON, and return 1 when a class misses its mark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-class", type=int, default=1000)
    parser.add_argument("--show", type=int, default=0, help="print so many of the mistakes")
    options = parser.parse_args()
    misses: list[str] = []
    began = time.process_time()
    scores = measure(options.seed, options.per_class, misses)
    seconds = time.process_time() - began
    _print(scores, seconds / sum(score.true + score.negatives for score in scores))
    for miss in misses[: options.show]:
        print(miss)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    table = [
        {**asdict(score), "recall": score.recall, "precision": score.precision} for score in scores
    ]
    OUT.write_text(json.dumps({"seed": options.seed, "classes": table}, indent=2) + "\n")
    print(f"written to {OUT}")
    return 0 if all(score.good for score in scores) else 1


def _print(scores: list[Score], seconds_each: float) -> None:
    columns = ("class", "precision", "recall", "true", "false")
    print(f"{columns[0]:<15}{columns[1]:>10}{columns[2]:>9}{columns[3]:>7}{columns[4]:>7}")
    for score in scores:
        mark = "" if score.good else "  below the mark"
        print(
            f"{score.kind:<15}{score.precision:>10.4f}{score.recall:>9.4f}"
            f"{score.true:>7}{score.negatives:>7}{mark}"
        )
    print(f"{seconds_each * 1000:.3f} ms of CPU per text (drawing it included)")


if __name__ == "__main__":
    raise SystemExit(main())
