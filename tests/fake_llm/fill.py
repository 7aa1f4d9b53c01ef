"""Fills a JSON Schema from a prompt: always the same for the same row, its markers in the texts."""

import hashlib
from typing import Any

MOST_DEPTH = 12


def fill(schema: dict[str, Any], markers: list[str], digest: bytes, words: int = 0) -> Any:
    """Return a value that fits the schema; text fields begin with the markers."""
    return _Filler(schema, " ".join(markers), digest, words).value(schema, "", 0)


class _Filler:
    def __init__(self, root: dict[str, Any], said: str, digest: bytes, words: int) -> None:
        self._root = root
        self._said = said
        self._digest = digest
        self._words = words

    def value(self, schema: Any, path: str, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > MOST_DEPTH:
            return None
        if "$ref" in schema:
            return self.value(self._resolve(schema["$ref"]), path, depth + 1)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][self._draw(path) % len(schema["enum"])]
        for branches in ("anyOf", "oneOf"):
            if schema.get(branches):
                return self.value(self._first(schema[branches]), path, depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((name for name in kind if name != "null"), "null")
        by_kind = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": self._integer,
            "number": self._number,
            "boolean": self._boolean,
        }
        return by_kind[kind](schema, path, depth) if kind in by_kind else None

    def _object(self, schema: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
        fields = schema.get("properties", {})
        return {
            name: self.value(part, f"{path}/{name}", depth + 1) for name, part in fields.items()
        }

    def _array(self, schema: dict[str, Any], path: str, depth: int) -> list[Any]:
        least, most = schema.get("minItems", 0), schema.get("maxItems", 2)
        count = max(least, min(2, most))
        part = schema.get("items", {"type": "string"})
        return [self.value(part, f"{path}/{number}", depth + 1) for number in range(count)]

    def _string(self, schema: dict[str, Any], path: str, _depth: int) -> str:
        number = self._draw(path)
        fixed = {
            "date": f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}",
            "date-time": f"2024-{number % 12 + 1:02}-{number % 28 + 1:02}T12:00:00Z",
            "email": f"someone{number % 1000}@example.com",
            "uri": f"https://example.com/{number % 1000}",
            "uuid": f"00000000-0000-4000-8000-{number % 10**12:012}",
        }.get(schema.get("format", ""))
        if fixed:
            return fixed
        text = f"{self._said} {path.rpartition('/')[2] or 'answer'} {number % 65_536:04x}".strip()
        text += " word" * max(0, self._words - len(text.split()))
        text += "." * max(0, schema.get("minLength", 0) - len(text))
        return text[: schema["maxLength"]] if "maxLength" in schema else text

    def _integer(self, schema: dict[str, Any], path: str, _depth: int) -> int:
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 101) - 1)
        return int(low) + self._draw(path) % max(1, int(high) - int(low) + 1)

    def _number(self, schema: dict[str, Any], path: str, _depth: int) -> float:
        low = float(schema.get("minimum", schema.get("exclusiveMinimum", 0)))
        high = float(schema.get("maximum", schema.get("exclusiveMaximum", low + 1)))
        return round(low + (high - low) * (self._draw(path) % 999 + 1) / 1_000, 6)

    def _boolean(self, _schema: dict[str, Any], path: str, _depth: int) -> bool:
        return self._draw(path) % 2 == 0

    def _draw(self, path: str) -> int:
        """Return a number that depends on the row and the place, nothing else."""
        return int.from_bytes(hashlib.sha256(self._digest + path.encode()).digest()[:6], "big")

    def _resolve(self, reference: str) -> Any:
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            found = found.get(step) if step and isinstance(found, dict) else found
        return found

    def _first(self, branches: list[Any]) -> Any:
        return next((part for part in branches if part.get("type") != "null"), branches[0])
