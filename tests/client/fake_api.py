"""An API that is a list of answers: what the client asked of it is kept."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2

from apwa_client import AsyncClient, Client, Retries

URL, KEY = "http://api.test", "apwa_key"
AT_ONCE = Retries(attempts=4, first_s=0.0)
Step = httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]


class FakeApi:
    """Answers the n-th request with the n-th step, whoever asks; the last one stays."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.requests: list[httpx2.Request] = []

    def client(self, retries: Retries = AT_ONCE) -> Client:
        return Client(URL, KEY, retries=retries, transport=httpx2.MockTransport(self._answer))

    def async_client(self, retries: Retries = AT_ONCE) -> AsyncClient:
        transport = httpx2.MockTransport(self._answer)
        return AsyncClient(URL, KEY, retries=retries, transport=transport)

    def sent(self, header: str) -> list[str | None]:
        """What each request said in a header."""
        return [request.headers.get(header) for request in self.requests]

    @property
    def targets(self) -> list[str]:
        return [f"{one.method} {one.url.raw_path.decode()}" for one in self.requests]

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, httpx2.Response) else step(request)


def told(value: Any, status: int = 200, **headers: str) -> httpx2.Response:
    """A JSON answer; `_` in names of headers stands for `-`."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return httpx2.Response(status, json=value, headers=named)


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    """A problem document."""
    body = {"status": status, "code": code, "detail": f"it is {code}", "request_id": "req_1"}
    answer = told(body, status, **headers)
    answer.headers["Content-Type"] = "application/problem+json"
    return answer


def stream(*pieces: bytes | Exception, kind: str) -> httpx2.Response:
    """An answer whose body comes in pieces, and may break off."""

    def body() -> Iterator[bytes]:
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    return httpx2.Response(200, content=body(), headers={"Content-Type": kind})


def job(status: str = "running", **more: Any) -> dict[str, Any]:
    """A job object."""
    usage = {"cost_microusd": 0}
    return {"id": "job_1", "status": status, "progress": {}, "usage": usage, "result": None} | more
