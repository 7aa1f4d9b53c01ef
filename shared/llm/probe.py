"""Finds out by a few small calls what an endpoint can do."""

import base64
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from shared.domain.model_call import CallFailure, Reply
from shared.llm.abilities import Abilities
from shared.llm.client import ModelClient
from shared.llm.request import chat_body, image_part, text_part
from shared.llm.structured import compile_validator, response_format

OUTPUT_TOKENS = 400  # reasoning models think before they say a word
SECRET_FIELD = "zx_colour"  # noqa: S105 - a name no model uses unless the schema makes it
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {SECRET_FIELD: {"type": "string", "enum": ["teal-17", "teal-18"]}},
    "required": [SECRET_FIELD],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {
        "name": "note_word",
        "description": "Write down one word.",
        "parameters": {
            "type": "object",
            "properties": {"word": {"type": "string"}},
            "required": ["word"],
        },
    },
}


@dataclass(frozen=True, slots=True)
class Probed:
    """What was found, what each call said, and how many calls it took."""

    abilities: Abilities
    notes: Mapping[str, str]
    calls: int


async def probe(client: ModelClient, *, deadline_s: float = 60.0) -> Probed | CallFailure:
    """Try each ability with one small call (7 to 9 in all); a failure means nothing works at all.

    An ability is False only when the endpoint refused it or answered past it; a call disturbed by
    limits or load leaves it unknown.
    """
    return await _Probe(client, deadline_s).run()


class _Probe:
    def __init__(self, client: ModelClient, deadline_s: float) -> None:
        self._client = client
        self._deadline_s = deadline_s
        self._abilities = Abilities(temperature=None)
        self._notes: dict[str, str] = {}
        self._calls = 0

    async def run(self) -> Probed | CallFailure:
        first = await self._plain()
        if isinstance(first, CallFailure):
            return first
        self._learn(
            usage=not first.usage.estimated,
            limit_headers=first.limits is not None,
        )
        await self._temperature()
        await self._json_schema()
        await self._json_object()
        await self._tools()
        await self._images()
        return Probed(self._abilities, self._notes, self._calls)

    async def _plain(self) -> Reply | CallFailure:
        """Say hello, with either name of the output limit: newer models refuse the older one."""
        came = await self._ask("Say hello.")
        if isinstance(came, CallFailure) and came.kind == "permanent":
            self._learn(output_limit="max_completion_tokens")
            second = await self._ask("Say hello.")
            if isinstance(second, CallFailure) and second.kind == "permanent":
                return came
            came = second
        if isinstance(came, CallFailure) and came.kind == "truncated" and came.usage is not None:
            return Reply(came.raw, (), "stop", None, came.usage, came.model or "", 0, came.limits)
        return came

    async def _temperature(self) -> None:
        came = await self._ask("Say hello.", temperature=0.0)
        self._learn(temperature=self._told("temperature", came, fits=lambda _reply: True))

    async def _json_schema(self) -> None:
        validator = compile_validator(SCHEMA)
        came = await self._ask(
            "Describe the sea in one sentence.",
            response_format=response_format("json_schema", SCHEMA),
        )
        self._learn(
            json_schema=self._told(
                "json_schema", came, fits=lambda reply: validator(_json(reply.text)) is None
            )
        )

    async def _json_object(self) -> None:
        came = await self._ask(
            "Describe the sea as JSON with the key `sea`.", response_format={"type": "json_object"}
        )
        self._learn(
            json_object=self._told(
                "json_object", came, fits=lambda reply: isinstance(_json(reply.text), dict)
            )
        )

    async def _tools(self) -> None:
        came = await self._ask("Call the tool note_word with the word blue.", tools=[TOOL])
        self._learn(
            tools=self._told(
                "tools",
                came,
                fits=lambda reply: any(call.name == "note_word" for call in reply.tool_calls),
            )
        )

    async def _images(self) -> None:
        content = [text_part("Which colour is this square? One word."), image_part(red_square())]
        came = await self._ask(content)
        self._learn(
            images=self._told(
                "images", came, fits=lambda reply: "red" in (reply.text or "").lower()
            )
        )

    async def _ask(self, content: Any, **wishes: Any) -> Reply | CallFailure:
        self._calls += 1
        body = chat_body(
            self._client.endpoint,
            [{"role": "user", "content": content}],
            abilities=self._abilities,
            max_output_tokens=OUTPUT_TOKENS,
            **wishes,
        )
        return await self._client.call(body, deadline_s=self._deadline_s)

    def _told(self, ability: str, came: Reply | CallFailure, fits: Any) -> bool | None:
        if isinstance(came, Reply):
            able = bool(fits(came))
            self._notes[ability] = "yes" if able else "accepted, but the answer is of another form"
            return able
        self._notes[ability] = f"{came.kind}: {came.detail}"[:200]
        return False if came.kind in ("permanent", "bad_response") else None

    def _learn(self, **found: Any) -> None:
        self._abilities = replace(self._abilities, **found)


def red_square() -> str:
    """Return a red picture of 64 x 64 points as a ``data:`` address."""
    side = 64
    rows = (b"\x00" + b"\xff\x00\x00" * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows)), _chunk(b"IEND", b""))
    picture = b"\x89PNG\r\n\x1a\n" + b"".join(parts)
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def _json(text: str | None) -> Any:
    try:
        return orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return None
