"""The demo's data: repeatable, and with personal data that passes its own checks."""

import csv
import re
from pathlib import Path
from random import Random

from stdnum import iban, luhn

from services.cli.demo_book import CHAPTERS, SECTIONS, write_book
from services.cli.demo_tickets import COLUMNS, ticket_text, write_tickets


def test_the_same_seed_gives_the_same_tickets(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_tickets(tmp_path / name, 50, seed)

    a, b, c = ((tmp_path / name).read_text() for name in "abc")
    assert a == b
    assert a != c


def test_every_ticket_has_an_id_of_its_own(tmp_path: Path) -> None:
    write_tickets(tmp_path / "t.csv", 300)

    with (tmp_path / "t.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert tuple(rows[0]) == COLUMNS
    assert [int(row["id"]) for row in rows] == list(range(1, 301))


def test_cards_and_accounts_have_right_check_digits() -> None:
    dice = Random(7)
    texts = [ticket_text(dice) for _ in range(2_000)]

    cards = [match[1] for text in texts for match in re.finditer(r"card (4[\d ]+)\.", text)]
    accounts = [match[0] for text in texts for match in re.finditer(r"DE\d\d[\d ]+\d", text)]

    assert len(cards) > 100
    assert len(accounts) > 100
    assert all(luhn.is_valid(card.replace(" ", "")) for card in cards)
    assert all(iban.is_valid(account) for account in accounts)


def test_some_tickets_hold_no_personal_data() -> None:
    dice = Random(7)
    plain = [text for text in (ticket_text(dice) for _ in range(500)) if not re.search(r"\d", text)]

    assert plain


def test_the_book_has_headings_of_two_levels(tmp_path: Path) -> None:
    write_book(tmp_path / "book.txt")

    lines = (tmp_path / "book.txt").read_text().splitlines()
    chapters = [line for line in lines if re.match(r"CHAPTER [IVX]+\.", line)]
    sections = [line for line in lines if re.match(r"SECTION \d\.", line)]
    assert len(set(chapters)) == len(chapters) == CHAPTERS
    assert len(sections) == CHAPTERS * SECTIONS
