"""Whether a worker that lives still takes messages."""

from dataclasses import dataclass, field

LOOKS = 3  # messages that waited while nothing was heard: one look may fall between two of them


@dataclass(slots=True)
class Hearing:
    """Judges one worker's ears; times are monotonic seconds.

    Deaf is who could take a message, sees messages waiting at `LOOKS` looks or more, and has
    taken none for `deaf_after_s`. Without Redis (`waiting` None) nothing is said about the ears.
    """

    deaf_after_s: float
    now: float
    _heard_at: float = field(init=False)
    _missed: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._heard_at = self.now

    def heard(self, now: float) -> None:
        """A message came in."""
        self._heard_at, self._missed = now, 0

    def look(self, now: float, *, waiting: int | None, could_take: bool) -> bool:
        """Take a look into account; True when the worker is deaf."""
        if waiting is None or not could_take:
            self.heard(now)  # whoever is away or busy is not deaf: the time begins anew
        elif waiting:
            self._missed += 1
        return self._missed >= LOOKS and now - self._heard_at >= self.deaf_after_s
