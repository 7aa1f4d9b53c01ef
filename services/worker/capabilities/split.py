"""`split`: one long text becomes many rows."""

from collections.abc import Sequence
from typing import Any

from semantic_text_splitter import TextSplitter

from services.worker.capabilities.assemble import assemble
from services.worker.capabilities.patterns import PatternClock, compiled
from services.worker.capabilities.sections import Piece, cut_at_headings
from services.worker.capabilities.sentences import paragraphs, sentences
from services.worker.capabilities.unit_text import text_of
from shared.capabilities.builtin import split as facts
from shared.capabilities.contract import Context, Unit

CHARACTERS_PER_TOKEN = 4  # the usual rule of thumb; no model's own tokens are counted here


def run(unit: Unit, context: Context) -> list[dict[str, Any]]:
    """Return the pieces of the unit's text as rows; none for a text that is null or blank."""
    params = context.params
    text = text_of(unit, params["field"])
    if text is None or not text.strip():
        return []
    if "levels" in params:
        return _rows_by_level(text, params, PatternClock(context.timeout_s))
    return [
        {"text": piece, "position": position}
        for position, piece in enumerate(_pieces_by_size(text, params), start=1)
    ]


def _rows_by_level(text: str, params: dict[str, Any], clock: PatternClock) -> list[dict[str, Any]]:
    levels = params["levels"]
    pieces: list[Piece] = cut_at_headings(
        text,
        [compiled(level["pattern"]) for level in levels],
        keep_front=params.get("front", "keep") == "keep",
        clock=clock,
    )
    columns = [level["column"] for level in levels]
    return [
        {
            "text": piece.text,
            "position": position,
            **dict(zip(columns, piece.headings, strict=True)),
        }
        for position, piece in enumerate(pieces, start=1)
    ]


def _pieces_by_size(text: str, params: dict[str, Any]) -> list[str]:
    size: int = params.get("size", 1)
    if params["by"] == "paragraph":
        return _by_count(paragraphs(text), size)
    if params["by"] == "sentence":
        return _by_count(sentences(text), size)
    return list(TextSplitter(size * CHARACTERS_PER_TOKEN, trim=False).chunks(text))


def _by_count(pieces: Sequence[str], size: int) -> list[str]:
    return ["".join(pieces[at : at + size]) for at in range(0, len(pieces), size)]


capability = assemble(facts.MANIFEST, facts.output, run)
