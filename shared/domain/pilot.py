"""Which units a pilot runs, and how the rest is cut around them: pure."""

import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from shared.domain.shard import ShardRange


def choose_units(count: int, k: int, seed: str, sizes: Sequence[float] | None = None) -> list[int]:
    """Return `k` of `count` units, ascending; all of them where there are no more than `k`.

    The units, in order of their size (or, where `sizes` is None, as they lie in the table), are
    parted into `k` strata of equal length and one is drawn from each, so that a pilot sees small
    and large ones, and no period of the data can hide. The same seed draws the same units.
    """
    if count <= k:
        return list(range(count))
    order: Sequence[int] = range(count)
    if sizes is not None:
        order = sorted(range(count), key=lambda unit: (sizes[unit], unit))
    draw = random.Random(seed)  # noqa: S311 - strata, not secrets
    bounds = [count * number // k for number in range(k + 1)]
    return sorted(order[draw.randrange(*pair)] for pair in pairwise(bounds))


def around(
    ranges: Iterable[ShardRange], pilot: Sequence[int], unit_rows: int
) -> Iterator[ShardRange]:
    """Yield the ranges without the units of a pilot (ascending), parted where one lies inside.

    Every unit has `unit_rows` rows, the last of a table may have fewer.
    """
    for item in ranges:
        first, end = item.first_unit, item.first_unit + item.unit_count
        inside = [unit for unit in pilot if first <= unit < end]
        for start, stop in zip(
            [first, *(unit + 1 for unit in inside)], [*inside, end], strict=True
        ):
            if start < stop:
                skipped = (start - first) * unit_rows
                rows = min((stop - start) * unit_rows, item.row_count - skipped)
                yield ShardRange(start, start, stop - start, item.first_row + skipped, rows)
