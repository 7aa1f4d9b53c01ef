"""Records of a stream: what a key is called, which records are new, how many share a shard."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

KEY_TYPES = ("string", "integer")
LONGEST_KEY = 500  # characters; more would not fit an index entry
CUT_SHORT = "stream_cut_short"  # why a record that was accepted has no outcome
_LEAST_SHARD = 25  # a message for fewer records costs more than it spreads


def key_text(value: object) -> str:
    """Return the one text of a key, the same in an address, a row and the database.

    Raises ValueError for what is no key.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("a key is never null")
    text = str(value)
    if not 1 <= len(text) <= LONGEST_KEY:
        raise ValueError(f"a key has 1 to {LONGEST_KEY} characters")
    return text


@dataclass(frozen=True, slots=True)
class NewRecords:
    """Places (in the batch) of the records to accept, in order, and how many were known."""

    places: tuple[int, ...]
    duplicates: int


def new_records(keys: Sequence[str], known: Collection[str]) -> NewRecords:
    """Return the first record of every key that is not `known`; the others are duplicates."""
    seen, places = set(known), []
    for place, key in enumerate(keys):
        if key not in seen:
            seen.add(key)
            places.append(place)
    return NewRecords(tuple(places), len(keys) - len(places))


def stream_shard_size(records: int, live_slots: int, *, most: int, forced: int = 0) -> int:
    """Return records per shard: spread over the slots, yet neither tiny nor above `most`."""
    if forced:
        return min(forced, most)
    return max(1, min(most, max(_LEAST_SHARD, math.ceil(records / max(1, live_slots)))))


def is_too_far_behind(
    unsettled: int, accepted: int, accepted_bytes: int, *, most_rows: int, most_bytes: int
) -> bool:
    """Return True when that many unsettled records are over a limit, in rows or mean bytes."""
    behind_bytes = unsettled * accepted_bytes / max(1, accepted)
    return unsettled >= most_rows or behind_bytes >= most_bytes
