"""`summarize`: picks the sentences that say most, without a model."""

from services.worker.capabilities.assemble import assemble
from services.worker.capabilities.centroid import most_telling
from services.worker.capabilities.statements import statements
from services.worker.capabilities.unit_text import texts_of
from shared.capabilities.builtin import summarize as facts
from shared.capabilities.contract import Context, Unit

CHUNK = 256  # sentences weighed against each other at a time


def run(unit: Unit, context: Context) -> dict[str, str]:
    """Return the summary of the unit's texts: their sentences, in the order of the texts."""
    count: int = context.params.get("sentences", facts.DEFAULT_SENTENCES)
    found = statements("\n\n".join(texts_of(unit, context.params["field"])))
    return {"summary": " ".join(fold(found, count))}


def fold(sentences: list[str], count: int) -> list[str]:
    """Return `count` of the sentences: each chunk gives its best, they are weighed again.

    A chunk keeps at most half of what it holds, so the work is at most twice one pass.
    """
    chunk = max(CHUNK, 4 * count)
    kept = max(count, chunk // 4)
    while len(sentences) > chunk:
        sentences = [
            sentence
            for at in range(0, len(sentences), chunk)
            for sentence in most_telling(sentences[at : at + chunk], kept)
        ]
    return most_telling(sentences, count)


capability = assemble(facts.MANIFEST, facts.output, run)
