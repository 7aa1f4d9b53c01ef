"""`extract`: named fields by pattern."""

import regex

from services.worker.capabilities.assemble import assemble
from services.worker.capabilities.patterns import PatternClock, compiled
from services.worker.capabilities.unit_text import text_of
from shared.capabilities.builtin import extract as facts
from shared.capabilities.contract import Context, Unit


def run(unit: Unit, context: Context) -> dict[str, str | None]:
    """Return the first match of each pattern (its group 1 if it has one), null where none is."""
    patterns: dict[str, str] = context.params["patterns"]
    text = text_of(unit, context.params["field"])
    if text is None:
        return dict.fromkeys(patterns)
    clock = PatternClock(context.timeout_s)
    return {
        column: _value(clock.search(compiled(pattern), text))
        for column, pattern in patterns.items()
    }


def _value(match: regex.Match[str] | None) -> str | None:
    if match is None:
        return None
    return match.group(1) if match.re.groups else match.group()


capability = assemble(facts.MANIFEST, facts.output, run)
