"""The units of one run that nobody has begun: what a slow shard leaves to others."""

from collections.abc import Iterable, Sequence

from services.worker.load_units import LoadedUnit

Batch = Sequence[LoadedUnit]


class Unbegun:
    """Which batches wait; one that was given away is never begun here."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._waiting = {_name(batch): batch for batch in batches}
        self._given: set[int] = set()

    def begin(self, batch: Batch) -> bool:
        """Note that a batch begins; False when it was given away."""
        self._waiting.pop(_name(batch), None)
        return _name(batch) not in self._given

    def give_all(self) -> list[int]:
        """Give away every batch that waits; return the units, ascending."""
        self._given |= self._waiting.keys()
        units = [item.unit.index for batch in self._waiting.values() for item in batch]
        self._waiting.clear()
        return sorted(units)


def _name(batch: Batch) -> int:
    return batch[0].unit.index
