"""`redact`: typed placeholders, and nothing of a find left over."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.worker.capabilities.redact import capability, redact_text
from shared.capabilities.builtin.redact import CLASSES, DEFAULT_REGIONS
from tests.unit.capabilities.units import context_of, unit_of


def redacted(text: str, classes: tuple[str, ...] = CLASSES) -> str:
    return redact_text(text, classes, DEFAULT_REGIONS)[0]


def test_a_row_gets_its_field_redacted_and_its_entities_counted() -> None:
    text = "Ann <ann@example.com> or ben@example.org, +1 201 555 0123"
    assert capability.run(unit_of(text), context_of()) == {
        "text": "Ann <[EMAIL_1]> or [EMAIL_2], [PHONE_1]",
        "entities": [{"class": "email", "count": 2}, {"class": "phone", "count": 1}],
    }


def test_a_null_field_stays_null() -> None:
    assert capability.run(unit_of(None), context_of()) == {"text": None, "entities": []}


def test_a_text_without_personal_data_is_left_as_it_is() -> None:
    text = "Größe 42 passt nicht. 🙂"
    assert capability.run(unit_of(text), context_of()) == {"text": text, "entities": []}


def test_the_same_value_gets_the_same_number() -> None:
    text = "a@example.com, b@example.com, A@EXAMPLE.com, 4111 1111 1111 1111, 4111111111111111"
    assert redacted(text) == "[EMAIL_1], [EMAIL_2], [EMAIL_1], [CARD_1], [CARD_1]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mailto:o'hara+x@mail.example.co.uk?subject=hi", "mailto:[EMAIL_1]?subject=hi"),
        ("jürgen@münchen.example", "[EMAIL_1]"),
        ("call (030) 12345678.", "call [PHONE_1]."),
        ("(0121 234 5678)", "([PHONE_1])"),
        ("tel:+1-201-555-0123x55", "tel:[PHONE_1]"),
        ("+44 (0)20 7946 0958", "[PHONE_1]"),
        ("my mobile is 2015550123", "my mobile is [PHONE_1]"),
        ("from 192.168.0.1-192.168.0.20", "from [IP_1]-[IP_2]"),
        ("[2001:db8::1]:443 ::ffff:192.0.2.1", "[[IP_1]]:443 [IP_2]"),
        ("(see https://example.com/a(b).)", "(see [URL_1].)"),
        ("www.example.com/x!", "[URL_1]!"),
        ("3782-822463-10005", "[CARD_1]"),
        ("de89 3704 0044 0532 0130 00 ok", "[IBAN_1] ok"),
        ("GB82WEST12345698765432", "[IBAN_1]"),
        ("SSN 536-90-4399", "SSN [NATIONAL_ID_1]"),
        ("BSN: 111222333", "BSN: [NATIONAL_ID_1]"),
        ("54362315-K, x-2482300w", "[NATIONAL_ID_1], [NATIONAL_ID_2]"),
        ("RCCMNL83S18D969H", "[NATIONAL_ID_1]"),
        ("2 95 10 99 126 111 93", "[NATIONAL_ID_1]"),
        ("131052-308T / 880320-0016", "[NATIONAL_ID_1] / [NATIONAL_ID_2]"),
        ("DOB: 12/03/1985", "DOB: [DATE_OF_BIRTH_1]"),
        ("born in Leeds on 3 March 1970", "born in Leeds on [DATE_OF_BIRTH_1]"),
        ("password: hunter2!", "password: [SECRET_1]"),
        ("API_KEY=abcD1234efgH5678ijkL", "API_KEY=[SECRET_1]"),
        ("-----BEGIN PRIVATE KEY-----\nMIIB\nAAAA==\n-----END PRIVATE KEY-----\n", "[SECRET_1]\n"),
    ],
)
def test_personal_data_is_replaced(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "order 2015550123, invoice no. 0301234567, #2015550123",
        "2024-03-05 14:22:10, 05.03.2024 14:22, 20240305142210",
        "1 234 567 890 EUR, $1,234,567.89",
        "ISBN 978-3-16-148410-0",
        "version 10.2.3.4, v1.2.3.4, 1.2.3.4.5, 256.1.1.1",
        "12:30:45, 00:1a:2b:3c:4d:5e, 00:1a:2b:3c:4d:5e:6f:70, std::vector",
        "logo@2x.png, react@18.2.0, git@example.com:me/x.git, @handle",
        "4111 1111 1111 1112",
        "356938035643809",
        "DE88 3704 0044 0532 0130 00",
        "131052-308U, 12345678A, 000-12-3456",
        "date of birth missing; signed on 2024-01-01",
        "token=null, password: required, sort_key=created_at_timestamp_2024",
        "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
        "http:// and node.js",
    ],
)
def test_what_only_looks_like_personal_data_stays(text: str) -> None:
    assert redacted(text) == text


def test_only_the_asked_classes_are_redacted() -> None:
    text = "a@example.com from 10.0.0.1"
    assert redacted(text, ("ip",)) == "a@example.com from [IP_1]"


def test_an_address_inside_a_link_is_redacted_when_links_are_not_asked_for() -> None:
    text = "https://example.com/?to=a@example.com"
    assert "a@example.com" not in redacted(text, ("email",))


def test_a_card_is_not_called_a_phone_when_only_phones_are_asked_for() -> None:
    text = "call +1 201 555 0123, card 4111 1111 1111 1111"
    assert redacted(text, ("phone",)) == "call [PHONE_1], card 4111 1111 1111 1111"


def test_national_phone_formats_follow_the_regions() -> None:
    text = "612 34 56 78"
    assert redact_text(text, CLASSES, ("US",))[0] == text
    assert redact_text(text, CLASSES, ("ES",))[0] == "[PHONE_1]"


_VALUES = st.sampled_from(
    [
        "a@example.com",
        "+49 30 12345678",
        "10.1.2.3",
        "https://example.com/x?y=1",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "536-90-4399",
        "born on 1970-01-02",
        "AKIAIOSFODNN7EXAMPLE",
    ]
)


@settings(deadline=None)
@given(st.lists(_VALUES, min_size=1, max_size=6), st.sampled_from([" and ", ", ", "\n", "; "]))
def test_no_value_of_a_list_survives(values: list[str], gap: str) -> None:
    found = redacted(gap.join(values))
    assert not re.search(r"\d{3}|@|://", found)
    assert len(re.findall(r"\[[A-Z_]+_\d+\]", found)) == len(values)


@settings(deadline=None)
@given(st.text(alphabet="a1 .@:-/+()#[]_=k\n", max_size=120))
def test_redacting_twice_finds_nothing_more(text: str) -> None:
    once = redacted(text)
    assert redacted(once) == once


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_can_be_redacted(text: str) -> None:
    found, counts = redact_text(text, CLASSES, DEFAULT_REGIONS)
    assert len(re.findall(r"\[[A-Z_]+_\d+\]", found)) >= sum(counts.values())


@pytest.mark.parametrize(
    "piece",
    ["a", "a@", "1 ", "1.2.", "key", "eyJ", ":", "0", "(0", "http://", ")", "born ", "+1", "sk-"],
)
def test_a_hostile_line_of_a_megabyte_ends(piece: str) -> None:
    line = "http://x" + piece * (1_000_000 // len(piece))
    assert redacted(line)


def test_a_secret_block_that_is_cut_off_is_redacted_to_its_end() -> None:
    assert redacted("-----BEGIN RSA PRIVATE KEY-----\nMIIBAAAA\nBBBB") == "[SECRET_1]"


def run_on(value: Any) -> Any:
    return capability.run(unit_of(value), context_of())["text"]


def test_a_value_that_is_no_text_is_read_as_json() -> None:
    assert run_on({"mail": "a@example.com"}) == '{"mail": "[EMAIL_1]"}'
