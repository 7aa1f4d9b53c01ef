"""What the fake endpoint reads out of a request: texts, markers, marks for faults and tools."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

MARKER = re.compile(r"\bmark(?:er)?[-_]?\d\w*", re.IGNORECASE)  # MARK-0007, marker12, mark7a
FAULT = re.compile(r"\bFAULT:([a-z0-9_]+)(?:\*(\d+))?")  # FAULT:hang, FAULT:500*2 = twice
TOOL = re.compile(r"\bTOOL:(\w+)(?:=(\{.*?\}))?(?=\W|$)")  # TOOL:sql={"query":"..."}
CONTEXT = re.compile(r"\bCONTEXT:(\w+)")  # CONTEXT:thread = the row needs other rows
UNIT = re.compile(r"<unit id=\"?([^\">]+)\"?>(.*?)</unit>", re.DOTALL)
SCHEMA_WORDS = "JSON Schema"
CHARS_PER_TOKEN = 4


@dataclass
class Prompt:
    """A chat body and what is in it."""

    body: dict[str, Any]

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body["messages"])

    @cached_property
    def text(self) -> str:
        """Every text the model is sent: of all messages, tool results and calls included."""
        return "\n".join(_text(message) for message in self.messages)

    @cached_property
    def sections(self) -> str:
        """The same text with a heading between messages, so that no section runs on."""
        return "\n# NEXT MESSAGE\n".join(_text(message) for message in self.messages)

    @cached_property
    def user_text(self) -> str:
        """The user's first message: the row, also when later messages ask for a repair."""
        users = [_text(item) for item in self.messages if item.get("role") == "user"]
        return users[0] if users else ""

    @cached_property
    def markers(self) -> list[str]:
        """Every marker anywhere in the request, each once, in order."""
        return list(dict.fromkeys(MARKER.findall(self.text)))

    @cached_property
    def own_markers(self) -> list[str]:
        """The markers of the user's first message."""
        return list(dict.fromkeys(MARKER.findall(self.user_text)))

    @cached_property
    def faults(self) -> list[tuple[str, int | None]]:
        """The faults the row asks for, in order; the number says how often (None: always)."""
        found = FAULT.findall(self.user_text)
        return [(name, int(times) if times else None) for name, times in found]

    @cached_property
    def tool_wishes(self) -> list[tuple[str, dict[str, Any] | None]]:
        """The tools the row wants called, in order, with arguments where it gives them."""
        found = TOOL.findall(self.user_text)
        return [(name, _arguments(given) if given else None) for name, given in found]

    @cached_property
    def context_wish(self) -> str | None:
        """What the row says it cannot be judged without."""
        found = CONTEXT.search(self.user_text)
        return f"the other rows of the same {found[1]}" if found else None

    @cached_property
    def digest(self) -> bytes:
        """Bytes that depend on the row and nothing else."""
        return hashlib.sha256(self.user_text.encode("utf-8", "replace")).digest()

    @cached_property
    def units(self) -> list[tuple[str, str]]:
        """Packed units, as ``<unit id="7">text</unit>``: id and text."""
        return UNIT.findall(self.user_text)

    @cached_property
    def tokens(self) -> int:
        """A count of the prompt's tokens, good enough for limits and usage."""
        return len(self.text) // CHARS_PER_TOKEN + 3 * len(self.messages)

    @cached_property
    def images(self) -> list[str]:
        """The addresses of all images shown, in order."""
        contents = (item.get("content") for item in self.messages)
        parts = (part for content in contents if isinstance(content, list) for part in content)
        return [part["image_url"]["url"] for part in parts if part.get("type") == "image_url"]

    @property
    def has_image(self) -> bool:
        """True when a message shows an image."""
        return bool(self.images)

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """The schema asked for: of the request, or the one written into the prompt."""
        wanted = self.body.get("response_format") or {}
        if wanted.get("type") == "json_schema":
            return dict(wanted["json_schema"]["schema"])
        after = self.text.rfind(SCHEMA_WORDS)
        opening = self.text.find("{", after) if after >= 0 else -1
        if opening < 0:
            return None
        try:
            value, _end = json.JSONDecoder().raw_decode(self.text, opening)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


def image_hash(address: str) -> str:
    """Return how a journal names an image."""
    return hashlib.sha256(address.encode()).hexdigest()[:12]


def _arguments(given: str) -> dict[str, Any] | None:
    for text in (given, given.replace('\\"', '"')):  # as it is, or inside a JSON text
        try:
            value = json.loads(text)
        except ValueError:
            continue
        return value if isinstance(value, dict) else None
    return None


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content)
    calls = message.get("tool_calls")
    said = content if isinstance(content, str) else ""
    return f"{said}\n{json.dumps(calls)}" if calls else said
