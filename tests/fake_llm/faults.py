"""Every way the fake endpoint can fail, by name."""

import asyncio
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from tests.fake_llm.http_server import Connection, Response, head
from tests.fake_llm.prompt import Prompt
from tests.fake_llm.settings import Behaviour

# Faults of the answer's text: the completion itself is well-formed (see answers.py).
OF_THE_TEXT = frozenset(
    {
        "length",
        "refusal",
        "content_filter",
        "bad_json",
        "fenced",
        "prose",
        "bom",
        "thought",
        "schema",
        "empty_text",
        "pack_missing",
        "pack_reordered",
        "pack_doubled",
    }
)


def error(status: int, message: str, code: str | None, kind: str, **headers: str) -> Response:
    """Return an error answer of OpenAI's form."""
    told = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Response(status, json.dumps(told).encode(), headers)


def fault_response(name: str, behaviour: Behaviour, completion: bytes) -> Response | None:
    """Return the whole answer of a fault; None when it needs more than one write."""
    wait = f"{behaviour.retry_after_s:g}"
    match name:
        case "429":
            return error(429, "Rate limit reached.", "rate_limit_exceeded", "requests", **{
                "retry-after": wait})  # fmt: skip
        case "429_date":
            date = format_datetime(_now() + timedelta(seconds=behaviour.retry_after_s), usegmt=True)
            headers = {"retry-after": date, "date": format_datetime(_now(), usegmt=True)}
            return error(429, "Rate limit reached.", "rate_limit_exceeded", "requests", **headers)
        case "429_silent":
            return error(429, "Rate limit reached.", "rate_limit_exceeded", "requests")
        case "quota":
            sentence = "You exceeded your current quota, please check your plan and billing."
            return error(429, sentence, "insufficient_quota", "insufficient_quota")
        case "400":
            return error(400, "Invalid value for 'messages'.", "invalid_value", "invalid_request")
        case "401":
            return error(401, "Incorrect API key provided.", "invalid_api_key", "authentication")
        case "403":
            return error(403, "Project may not use this model.", "forbidden", "permission")
        case "404":
            return error(404, "The model does not exist.", "model_not_found", "invalid_request")
        case "context":
            sentence = "This model's maximum context length is 8192 tokens."
            return error(400, sentence, "context_length_exceeded", "invalid_request")
        case "filter_400":
            return error(400, "The prompt was filtered.", "content_filter", "invalid_request")
        case "500" | "502" | "503" | "504" | "529" | "408" | "409" | "425":
            return error(int(name), "The server had an error.", None, "server_error")
        case "html":
            return Response(200, b"<!doctype html><h1>Welcome</h1>", content_type="text/html")
        case "html_502":
            return Response(502, b"<html>Bad Gateway</html>", content_type="text/html")
        case "content_type":
            return Response(200, completion, content_type="text/plain; charset=utf-8")
        case "not_json":
            return Response(200, completion[:-20])
        case "not_utf8":
            return Response(200, b'{"choices": [{"message": {"content": "\xff\xfe"}}]}')
        case "empty_body":
            return Response(200, b"")
        case "empty_choices":
            return Response(200, json.dumps({**json.loads(completion), "choices": []}).encode())
        case "null_content":
            return Response(200, _without_text(completion))
        case "error_in_200":
            return Response(200, b'{"error": {"message": "upstream is busy", "code": 502}}')
        case "bomb":
            packed = gzip.compress(b" " * behaviour.huge_bytes, 9)
            return Response(200, packed, {"content-encoding": "gzip"})
        case "gzip":
            return Response(200, gzip.compress(completion), {"content-encoding": "gzip"})
        case "brotli":
            return Response(200, completion, {"content-encoding": "br"})
        case "redirect":
            return Response(302, b"", {"location": "/elsewhere"})
    return None


async def misbehave(
    name: str, behaviour: Behaviour, completion: bytes, connection: Connection
) -> bool:
    """Write what a fault of several writes writes; True when the answer got out whole."""
    return await _MISBEHAVIOUR[name](behaviour, completion, connection)


class FaultChoice:
    """Which fault a call meets: the next in line, one its row asks for, or one by rate."""

    def __init__(self) -> None:
        self._met: Counter[tuple[str, str]] = Counter()
        self._seen: Counter[str] = Counter()

    def choose(self, prompt: Prompt, behaviour: Behaviour, *, planning: bool) -> str | None:
        """Return the name of the fault, or None."""
        if behaviour.next_faults:
            name = behaviour.next_faults.pop(0)
            return None if name == "ok" else name
        key = " ".join(prompt.own_markers) or prompt.digest.hex()
        if not planning:
            for number, (name, times) in enumerate(prompt.faults):
                met = (key, f"{number} {name}")
                if times is None or self._met[met] < times:
                    self._met[met] += 1
                    return name
        return self._by_rate(key, behaviour) if behaviour.rates else None

    def _by_rate(self, key: str, behaviour: Behaviour) -> str | None:
        self._seen[key] += 1
        drawn = hashlib.sha256(f"{behaviour.seed} {key} {self._seen[key]}".encode()).digest()
        share = int.from_bytes(drawn[:6], "big") / 2**48
        for name, rate in behaviour.rates.items():
            share -= rate
            if share < 0:
                return self._once(name, key) if name == "length" else name
        return None

    def _once(self, name: str, key: str) -> str | None:
        """A row that was cut off gets more tokens, so it is not cut off a second time."""
        self._met[key, name] += 1
        return name if self._met[key, name] == 1 else None


async def _hang(_behaviour: Behaviour, _completion: bytes, _connection: Connection) -> bool:
    await asyncio.Event().wait()
    return False


async def _hang_body(behaviour: Behaviour, completion: bytes, connection: Connection) -> bool:
    connection.write(head(Response(200), len(completion)) + completion[: len(completion) // 2])
    return await _hang(behaviour, completion, connection)


async def _drip(behaviour: Behaviour, completion: bytes, connection: Connection) -> bool:
    connection.write(head(Response(200), len(completion)))
    for position in range(len(completion)):
        connection.write(completion[position : position + 1])
        await asyncio.sleep(behaviour.drip_every_s)
    return not connection.gone


async def _reset(_behaviour: Behaviour, _completion: bytes, connection: Connection) -> bool:
    connection.reset()
    return False


async def _cut(_behaviour: Behaviour, completion: bytes, connection: Connection) -> bool:
    connection.write(head(Response(200), len(completion)) + completion[: len(completion) // 2])
    connection.close()
    return False


async def _garbage(_behaviour: Behaviour, _completion: bytes, connection: Connection) -> bool:
    connection.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    connection.close()
    return False


async def _huge(behaviour: Behaviour, _completion: bytes, connection: Connection) -> bool:
    connection.write(head(Response(200), None) + b'{"choices": "')
    piece = b"x" * 1_000_000
    for _ in range(behaviour.huge_bytes // len(piece)):
        connection.write(piece)
        await connection.drain()
        if connection.gone:
            return False
    connection.write(b'"}')
    connection.close()
    return True


async def _huge_declared(behaviour: Behaviour, completion: bytes, connection: Connection) -> bool:
    connection.write(head(Response(200), behaviour.huge_bytes) + completion)
    return await _hang(behaviour, completion, connection)


_MISBEHAVIOUR: dict[str, Callable[[Behaviour, bytes, Connection], Awaitable[bool]]] = {
    "hang": _hang,
    "hang_body": _hang_body,
    "drip": _drip,
    "reset": _reset,
    "cut": _cut,
    "garbage": _garbage,
    "huge": _huge,
    "huge_declared": _huge_declared,
}
OF_SEVERAL_WRITES = frozenset(_MISBEHAVIOUR)


def _without_text(completion: bytes) -> bytes:
    answer = json.loads(completion)
    answer["choices"][0]["message"]["content"] = None
    return json.dumps(answer).encode()


def _now() -> datetime:
    return datetime.now(UTC)
