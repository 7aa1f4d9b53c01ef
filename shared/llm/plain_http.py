"""Posts with aiohttp alone: the same answers as the package's way at a fraction of its CPU."""

import ssl

import aiohttp

from shared.domain.model_call import CallFailure
from shared.llm.endpoints import Endpoint
from shared.llm.http_answer import (
    BodyReader,
    Ended,
    HttpAnswer,
    refuse_redirect,
    unreachable,
    unreadable,
)

CONNECT_S = 10.0
IDLE_S = 15.0
PIECE_BYTES = 65_536


class PlainHttp:
    """One aiohttp session with the endpoint's address and key."""

    def __init__(self, endpoint: Endpoint, answer_max_bytes: int) -> None:
        self._url = f"{endpoint.base_url}/chat/completions"
        self._most_connections = endpoint.max_in_flight
        self._answer_max_bytes = answer_max_bytes
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "Content-Type": "application/json",
            "User-Agent": "apwa",
        }
        if endpoint.api_key:
            self._headers["Authorization"] = f"Bearer {endpoint.api_key}"
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: bytes) -> HttpAnswer | CallFailure:
        """Send to ``/chat/completions``; any status is an answer. Has no deadline of its own."""
        try:
            async with self._open().post(self._url, data=body, allow_redirects=False) as response:
                refuse_redirect(response.status)
                reader = BodyReader(response.status, response.headers, self._answer_max_bytes)
                pieces = [
                    reader.feed(piece) async for piece in response.content.iter_chunked(PIECE_BYTES)
                ]
                return HttpAnswer(response.status, response.headers, b"".join(pieces))
        except Ended as end:
            return end.failure
        except (aiohttp.ClientPayloadError, aiohttp.ClientResponseError) as error:
            return unreadable(error)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError of connecting is an OSError
            return unreachable(error)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                auto_decompress=False,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
                connector=aiohttp.TCPConnector(
                    limit=self._most_connections,
                    keepalive_timeout=IDLE_S,
                    ssl=ssl.create_default_context(),
                ),
            )
        return self._session
