"""`fetch`: the text of the web page a column names."""

from dataclasses import asdict
from typing import Any

from services.worker.capabilities.assemble import assemble
from services.worker.capabilities.fetch_page import fetch_limits, fetch_page
from services.worker.capabilities.unit_text import text_of
from shared.capabilities.builtin import fetch as facts
from shared.capabilities.contract import Context, Unit


async def run(unit: Unit, context: Context) -> dict[str, Any]:
    """Return the page, nulls where the unit names none; raises `WebError`, which has a code."""
    url = text_of(unit, context.params["field"])
    if url is None or not url.strip():
        return dict.fromkeys(facts.OUTPUT["properties"])
    return asdict(await fetch_page(url.strip(), fetch_limits()))


capability = assemble(facts.MANIFEST, facts.output, run)
