"""`python -m tests.fake_llm --port 0 --journal FILE`: serves until SIGTERM."""

import argparse
import asyncio
import json
import signal
from pathlib import Path

import uvloop

from tests.fake_llm.http_server import Connection
from tests.fake_llm.journal import Journal
from tests.fake_llm.server import FakeEndpoint
from tests.fake_llm.settings import Behaviour


def main() -> None:
    """Serve; the first line on stdout is ``{"base_url": ...}``, once calls are taken."""
    parser = argparse.ArgumentParser(description="A fake model endpoint.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--behaviour", default="{}", help="JSON, as for PUT /control")
    given = parser.parse_args()
    behaviour = Behaviour()
    behaviour.change(json.loads(given.behaviour))
    uvloop.run(_serve(given.host, given.port, FakeEndpoint(behaviour, Journal(given.journal))))


async def _serve(host: str, port: int, endpoint: FakeEndpoint) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(
        lambda: Connection(endpoint.handle), host, port, backlog=4_096
    )
    chosen = server.sockets[0].getsockname()[1]
    print(json.dumps({"base_url": f"http://{host}:{chosen}/v1", "port": chosen}), flush=True)
    await stopped.wait()  # hanging calls end with the loop, and are written down as they do


if __name__ == "__main__":
    main()
