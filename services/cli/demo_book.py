"""A long text in chapters and sections, made up: the same for the same seed."""

from pathlib import Path
from random import Random

CHAPTERS, SECTIONS = 12, 6
_SENTENCES = 28

_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_TOPICS = (
    ("lighthouse", "keeper", "lens", "oil"),
    ("harbour", "pilot", "quay", "crane"),
    ("orchard", "gardener", "pear", "ladder"),
    ("observatory", "astronomer", "comet", "clock"),
    ("mill", "miller", "wheel", "flour"),
    ("library", "archivist", "ledger", "shelf"),
    ("quarry", "mason", "slate", "cart"),
    ("school", "teacher", "map", "bell"),
    ("ferry", "captain", "rope", "fog"),
    ("market", "trader", "scale", "cloth"),
    ("dam", "engineer", "gate", "flood"),
    ("hospital", "nurse", "ward", "record"),
)
_ASPECTS = ("foundation", "first winter", "dispute", "repair", "visit", "accounts")
_PATTERNS = (
    "The {who} of the {place} wrote that the {thing} had to be replaced before the {season}.",
    "Nobody on the island remembered the {place} standing empty in {season}.",
    "For {number} days the {thing} was kept in the cellar of the {place}, wrapped in canvas.",
    "When the council asked for an account, the {who} brought the {other} and said nothing.",
    "It was the {other} that decided the matter, for without it the {place} could not be used.",
    "The {who} counted {number} visitors in that {season}, most of whom came to see the {thing}.",
    "A letter from the mainland praised the {place} and asked for a drawing of the {thing}.",
    "The {aspect} of the {place} cost {number} crowns, which the {who} paid in three parts.",
    "Rain came through the roof of the {place}, and the {who} moved the {other} to a dry corner.",
    "Of all that is told about the {aspect}, only the story of the {thing} can be proved.",
    "The {who} trained {number} apprentices, and each had to learn to mend the {other}.",
    "In the {season} the {place} was measured again, and the {thing} was found too heavy.",
)
_SEASONS = ("spring", "summer", "autumn", "winter")


def write_book(path: Path, seed: int = 2026) -> None:
    """Write ``CHAPTERS`` chapters of ``SECTIONS`` sections each as plain text."""
    dice = Random(seed)  # noqa: S311 - repeatable, nothing secret
    lines = ["A Chronicle of the Island", ""]
    for number, topic in zip(_ROMAN, _TOPICS, strict=True):
        lines += [f"CHAPTER {number}. The {topic[0].capitalize()}", ""]
        for section, aspect in enumerate(_ASPECTS, start=1):
            lines += [f"SECTION {section}. The {aspect}", "", *_paragraphs(dice, topic, aspect)]
    path.write_text("\n".join(lines), encoding="utf-8")


def _paragraphs(dice: Random, topic: tuple[str, ...], aspect: str) -> list[str]:
    sentences = [_sentence(dice, topic, aspect) for _ in range(_SENTENCES)]
    lines = []
    for start in range(0, _SENTENCES, 7):
        lines += [" ".join(sentences[start : start + 7]), ""]
    return lines


def _sentence(dice: Random, topic: tuple[str, ...], aspect: str) -> str:
    place, who, *things = topic
    thing, other = dice.sample(things, 2)
    return dice.choice(_PATTERNS).format(
        place=place,
        who=who,
        thing=thing,
        other=other,
        aspect=aspect,
        season=dice.choice(_SEASONS),
        number=dice.randint(3, 400),
    )
