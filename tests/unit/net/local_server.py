"""A small HTTP server on loopback whose every answer a test writes byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager


class LocalServer:
    """Answers by path; keeps the head of every request it got."""

    def __init__(self, pages: Mapping[str, bytes]) -> None:
        self._pages = pages
        self.heads: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        """The address of the server, without a path."""
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send the page of the path and close; a page that ends in ``...`` is never finished."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            page = self._pages[head.split(" ")[1]]
            writer.write(page.removesuffix(b"..."))
            await writer.drain()
            if page.endswith(b"..."):
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def answer(
    body: bytes, content_type: str = "text/html", status: int = 200, more: str = ""
) -> bytes:
    """Return a whole HTTP answer."""
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode() + body


@asynccontextmanager
async def serving(pages: Mapping[str, bytes]) -> AsyncIterator[LocalServer]:
    """Serve on a free port of loopback while the block runs."""
    local = LocalServer(pages)
    server = await asyncio.start_server(local.handle, "127.0.0.1", 0)
    local.port = server.sockets[0].getsockname()[1]
    async with server:
        yield local
