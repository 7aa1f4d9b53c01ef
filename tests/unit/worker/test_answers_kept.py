"""What is kept of an answer: text that Postgres takes, and not without end."""

from services.worker.attempt import answer_of
from services.worker.child_pool import RAW_KEPT
from shared.capabilities.contract import Returned


def test_a_text_of_a_model_is_kept_without_what_postgres_cannot_hold() -> None:
    kept = answer_of(Returned({"a": 1}, "before \x00 and \ud800 after"), 1)
    assert kept.raw == "before  and ? after"
    assert kept.returned == {"a": 1}


def test_a_text_without_end_is_cut() -> None:
    assert answer_of(Returned({}, "x" * (2 * RAW_KEPT)), 1).raw == "x" * RAW_KEPT


def test_no_text_stays_none() -> None:
    assert answer_of(Returned({}), 1).raw is None
