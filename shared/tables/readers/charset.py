"""Which charset a text file is written in."""

import codecs
import re
from pathlib import Path
from typing import BinaryIO

import charset_normalizer

_CHUNK = 1 << 20
_SAMPLE = 256 << 10
_FALLBACK = "cp1252"  # has a letter for nearly every byte
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PLAUSIBLE = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "iso8859_7", "koi8_r",
    "cp932", "euc_jp", "gb18030", "big5", "cp949",
]  # fmt: skip
BROKEN = "\udcff"
_FOREIGN = re.compile(rb"[\x80-\xff]")


def charset_of(path: Path) -> str:
    """Return the Python name of the charset: by its mark, as UTF-8, or by what reads like text.

    The whole file is searched for its first byte that is not ASCII, because that is where
    charsets begin to differ; some invalid places among valid UTF-8 do not speak against UTF-8.
    """
    with path.open("rb") as file:
        head = file.read(4096)
        for mark, name in _MARKS:
            if head.startswith(mark):
                return name
        if wide := _unmarked_utf16(head):
            return wide
        file.seek(0)
        sample = _first_foreign_part(file)
    return _charset_of_bytes(sample)


def decode_document(data: bytes) -> tuple[str, str]:
    """Return the text of one whole document and its charset; raises UnicodeDecodeError."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name), name
    name = _unmarked_utf16(data[:4096]) or ("ascii" if data.isascii() else "")
    name = name or _charset_of_bytes(_from_first_foreign(data))
    return data.decode(name), "utf-8" if name == "ascii" else name


def mark_broken(error: UnicodeError) -> tuple[str, int]:
    """Decode what the charset does not allow as one lone surrogate, which no charset yields."""
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101 - it is registered for decoding only
    return BROKEN, error.end


codecs.register_error("apwa.broken", mark_broken)


def _unmarked_utf16(head: bytes) -> str | None:
    pairs = len(head) // 2
    even, odd = head[: pairs * 2 : 2].count(0), head[1 : pairs * 2 : 2].count(0)
    if odd > pairs // 2 and not even:
        return "utf-16-le"
    return "utf-16-be" if even > pairs // 2 and not odd else None


def _first_foreign_part(file: BinaryIO) -> bytes:
    while chunk := file.read(_CHUNK):
        if not chunk.isascii():
            return _from_first_foreign(chunk)
    return b""


def _from_first_foreign(data: bytes) -> bytes:
    found = _FOREIGN.search(data)
    start = max(0, found.start() - 4096) if found else 0
    return data[start : start + _SAMPLE]


def _charset_of_bytes(sample: bytes) -> str:
    if sample.isascii():
        return "utf-8"
    text = sample.decode("utf-8", "apwa.broken")
    broken = text.count(BROKEN)
    if sum(character > "\x7f" for character in text) - broken > broken:
        return "utf-8"
    found = charset_normalizer.from_bytes(sample, cp_isolation=_PLAUSIBLE).best()
    if found is None or str(found) == sample.decode(_FALLBACK, "replace"):
        return _FALLBACK
    return found.encoding
