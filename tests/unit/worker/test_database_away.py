"""A capability whose table cannot be read for a moment loses nothing by it."""

from services.worker.attempt import answer_of
from services.worker.load_units import DatabaseAwayError
from shared.domain.retry import Failure, TryAgain, next_step


def test_a_unit_whose_table_could_not_be_read_is_tried_again_at_no_attempt() -> None:
    came = answer_of(DatabaseAwayError("a table could not be read"), 5).returned
    assert isinstance(came, Failure)
    assert not came.burns
    assert isinstance(next_step(100, came, 0, 0.5), TryAgain)
