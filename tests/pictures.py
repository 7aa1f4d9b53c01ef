"""Small pictures as ``data:`` addresses, each of its own bytes."""

import base64
import hashlib

_HEADS = {
    "png": b"\x89PNG\r\n\x1a\n",
    "jpeg": b"\xff\xd8\xff\xe0",
    "gif": b"GIF89a",
    "webp": b"RIFF\x00\x00\x00\x00WEBP",
}


def picture(name: str = "", kind: str = "png", size: int = 60) -> bytes:
    """Return the bytes of a file of that kind, by its beginning; `name` makes them differ."""
    return _HEADS[kind] + (hashlib.sha256(name.encode()).digest() * (size // 32 + 1))[:size]


def data_url(content: bytes, kind: str = "png") -> str:
    """Return bytes as an address that says they are of that kind."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
