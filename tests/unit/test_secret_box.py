"""Sealed secrets: opened with any key, sealed with the newest, refused when changed."""

import pytest

from shared.secret_box import SecretBox, SecretsNotConfigured, SecretUnreadable

OLD, NEW = "o" * 32, "n" * 32


def test_what_was_sealed_is_opened_again_and_cannot_be_read_as_it_is_stored() -> None:
    sealed = SecretBox(OLD).seal("whsec_abc")
    assert "whsec" not in sealed
    assert SecretBox(OLD).open(sealed) == "whsec_abc"


def test_a_key_added_in_front_seals_and_the_former_one_still_opens() -> None:
    sealed = SecretBox(OLD).seal("s")
    both = SecretBox(f"{NEW}, {OLD}")
    assert both.open(sealed) == "s"
    renewed = both.renew(sealed)
    assert SecretBox(NEW).open(renewed) == "s"


def test_another_key_or_a_changed_text_is_unreadable() -> None:
    sealed = SecretBox(OLD).seal("s")
    for box, text in ((SecretBox(NEW), sealed), (SecretBox(OLD), sealed[:-8] + "AAAAAAA=")):
        with pytest.raises(SecretUnreadable):
            box.open(text)
        with pytest.raises(SecretUnreadable):
            box.renew(text)


def test_without_keys_nothing_is_sealed() -> None:
    with pytest.raises(SecretsNotConfigured):
        SecretBox(" , ").seal("s")
