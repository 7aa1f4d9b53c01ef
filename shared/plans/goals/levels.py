"""The headings by which long texts are divided, outermost first."""

from dataclasses import dataclass

from shared.plans.goals.words import forms

_NUMBER = r"(?:[IVXLCDM]+|[0-9]+)\b"
_ORDINAL = r"(?:[IVXLCDM]+\b|[0-9]+\b|(?:THE )?[A-Z]+\b|[A-Z][a-z]+(?:-[a-z]+)?\s*$)"


@dataclass(frozen=True, slots=True)
class Level:
    """One kind of heading: `name` is the noun and the column, `pattern` matches its line."""

    name: str
    pattern: str


LEVELS: tuple[Level, ...] = (
    Level("volume", rf"^(?:VOLUME|Volume|VOL\.|Vol\.) {_ORDINAL}"),
    Level("book", rf"^(?:BOOK|Book) {_ORDINAL}"),
    Level("part", rf"^(?:PART|Part) {_ORDINAL}"),
    Level("act", rf"^(?:ACT|Act) {_NUMBER}"),
    Level("chapter", rf"^(?:(?:CHAPTER|Chapter) {_ORDINAL}|# \S)"),
    Level(
        "scene",
        rf"^(?:(?:SCENE|Scene) {_NUMBER}|(?:THE )?PROLOGUE\b|(?:THE )?EPILOGUE\b|CHORUS\b)",
    ),
    Level(
        "section",
        rf"^(?:#{{1,6}} \S|(?:SECTION|Section|§) ?{_NUMBER}|[0-9]+(?:\.[0-9]+)*\.? [A-Z])",
    ),
)
PIECES = {"paragraph": "paragraph", "sentence": "sentence"}  # noun -> `by` of split


def level_of(noun: str) -> Level | None:
    """Return the level a noun names, singular or plural."""
    return next((level for level in LEVELS if level.name in forms(noun)), None)


def piece_of(noun: str) -> str | None:
    """Return `paragraph` or `sentence` when the noun names that."""
    return next((by for name, by in PIECES.items() if name in forms(noun)), None)


def in_order(levels: list[Level]) -> list[Level]:
    """Return distinct levels, outermost first."""
    return [level for level in LEVELS if level in levels]


def split_params(field: str, levels: list[Level]) -> dict[str, object]:
    """Return the parameters of `split` for headings; what stands before the first is dropped."""
    described = [{"column": level.name, "pattern": level.pattern} for level in in_order(levels)]
    return {"field": field, "front": "drop", "levels": described}
