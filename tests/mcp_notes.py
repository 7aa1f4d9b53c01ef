"""A small MCP server for tests: notes on tickets, and ways to fail.

On stdin and stdout, or over HTTP on loopback at the port that is its argument.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.context import Context

server = MCPServer("notes", log_level="CRITICAL")


@server.tool()
def lookup(ticket: int) -> dict[str, Any]:
    """Returns the note on a ticket."""
    return {"ticket": ticket, "note": f"Ticket {ticket} is about a printer."}


@server.tool()
def write(text: str, context: Context) -> str:
    """Writes a note for everybody to see."""
    meta = context.request_context.meta or {}
    with Path(os.environ["NOTES_FILE"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"text": text, "key": meta.get("apwa/idempotency-key")}) + "\n")
    return "written"


@server.tool()
def environment() -> str:
    """Returns the names of the variables this process sees."""
    return " ".join(sorted(os.environ))


@server.tool()
def fail() -> str:
    """Always says no."""
    raise ValueError("the notes are locked")


@server.tool()
def crash() -> str:
    """Ends this process at once."""
    os._exit(3)


@server.tool()
def slow(seconds: float) -> str:
    """Answers late."""
    time.sleep(seconds)
    return "late"


@server.tool()
def large(chars: int) -> str:
    """Answers at length."""
    return "x" * chars


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
