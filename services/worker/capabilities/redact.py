"""`redact`: personal data becomes typed placeholders."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from services.worker.capabilities.assemble import assemble
from services.worker.capabilities.personal import find_personal
from services.worker.capabilities.personal.spans import Span
from services.worker.capabilities.unit_text import text_of
from shared.capabilities.builtin import redact as facts
from shared.capabilities.contract import Context, Unit


def run(unit: Unit, context: Context) -> dict[str, Any]:
    """Return the field with placeholders, and `entities`: how many of each class were replaced."""
    params = context.params
    text = text_of(unit, params["field"])
    if text is None:
        return {params["field"]: None, "entities": []}
    classes = params.get("classes", facts.CLASSES)
    redacted, counts = redact_text(text, classes, params.get("regions", facts.DEFAULT_REGIONS))
    entities = [{"class": name, "count": counts[name]} for name in facts.CLASSES if counts[name]]
    return {params["field"]: redacted, "entities": entities}


def redact_text(
    text: str, classes: Sequence[str], regions: Sequence[str]
) -> tuple[str, Counter[str]]:
    """Return `text` with placeholders like ``[EMAIL_1]``, and replacements per class.

    The same value gets the same number each time it occurs in the text.
    """
    spans = find_personal(text, classes, regions)
    numbers = _numbers(spans)
    parts: list[str] = []
    start = 0
    for span in spans:
        parts.append(text[start : span.start])
        parts.append(f"[{span.kind.upper()}_{numbers[span.kind, span.value]}]")
        start = span.end
    parts.append(text[start:])
    return "".join(parts), Counter(span.kind for span in spans)


def _numbers(spans: Sequence[Span]) -> dict[tuple[str, str], int]:
    """Number the distinct values of each kind from 1 on, in order of first appearance."""
    numbers: dict[tuple[str, str], int] = {}
    last: Counter[str] = Counter()
    for span in spans:
        if (span.kind, span.value) not in numbers:
            last[span.kind] += 1
            numbers[span.kind, span.value] = last[span.kind]
    return numbers


capability = assemble(facts.MANIFEST, facts.output, run)
