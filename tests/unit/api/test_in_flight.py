"""Keys that are being answered."""

from services.api.in_flight import InFlight


def test_a_held_key_is_not_free_until_its_holder_is_done() -> None:
    keys = InFlight()
    with keys.hold("p", "a") as first, keys.hold("p", "a") as second:
        assert first
        assert not second
        with keys.hold("q", "a") as other:
            assert other
    with keys.hold("p", "a") as again:
        assert again


def test_one_who_was_refused_does_not_free_the_key() -> None:
    keys = InFlight()
    with keys.hold("p", "a"):
        with keys.hold("p", "a"):
            pass
        with keys.hold("p", "a") as third:
            assert not third
