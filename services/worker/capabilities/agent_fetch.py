"""The agent's tool `fetch`: the text of a public web page."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from services.worker.capabilities.agent_tool import Tool, ToolError, closed
from services.worker.capabilities.fetch_page import FetchLimits, fetch_page
from shared.net.refused import WebError

_ADDRESS = {"type": "string", "minLength": 1, "maxLength": 4_000}


def fetch_tool(limits: FetchLimits) -> Tool:
    """Return the tool; it has the limits of the capability `fetch`."""

    async def run(arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return asdict(await fetch_page(arguments["url"], limits))
        except WebError as error:
            raise ToolError(f"{error.code}: {error.detail}") from error

    return Tool(
        "fetch",
        "Returns the readable text of a public web page (http or https, no private networks).",
        closed(url=_ADDRESS),
        run,
        lambda arguments: str(arguments["url"]),
    )
