"""Images in the columns a stage names: checked, then sent as parts of a message, never as text."""

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from shared.capabilities.image_labels import Row, image_columns, image_label, image_values
from shared.llm.request import image_part, text_part
from shared.settings import env_name, load_settings

Message = dict[str, Any]

PREFIX, MARK = "data:image/", ";base64,"
_HEAD_CHARS = 300  # of an address, within which `;base64,` has to come
_BASE64_SHARE = 4 / 3


class BadImage(ValueError):
    """A unit's image is not sent, and so the unit is not: text, address, kind, size or number."""

    code = "bad_image"


@dataclass(frozen=True, slots=True)
class ImageCaps:
    """How many images one unit may show, and how many bytes (decoded) they may have together."""

    images: int
    bytes: int


def count_images(rows: Sequence[Row], params: Mapping[str, Any]) -> int:
    """Return how many images the rows hold."""
    return sum(1 for _ in image_values(rows, image_columns(params)))


def image_parts(
    rows: Sequence[Row], params: Mapping[str, Any], caps: ImageCaps | None = None
) -> list[dict[str, Any]]:
    """Return the parts that show the rows' images, each after a text with its label.

    Raises BadImage. `caps` default to the settings. Nothing is fetched and nothing is decoded but
    base64: what the picture shows is between its giver and the model.
    """
    columns = image_columns(params)
    if not columns:
        return []
    allowed = caps or _caps()
    parts: list[dict[str, Any]] = []
    left = allowed.bytes
    for number, (row, column) in enumerate(image_values(rows, columns), start=1):
        if number > allowed.images:
            raise BadImage(
                f"The unit has {count_images(rows, params)} images; {allowed.images} are allowed "
                f"({env_name('unit_max_images')})."
            )
        address, size = _checked(row[column], f"column `{column}`, image {number}", left, allowed)
        left -= size
        parts += [text_part(image_label(number)), image_part(address)]
    return parts


def with_images(
    messages: Sequence[Mapping[str, Any]], rows: Sequence[Row], params: Mapping[str, Any]
) -> list[Message]:
    """Return the messages with the rows' images behind the text of the last one."""
    return with_parts(messages, image_parts(rows, params))


def with_parts(
    messages: Sequence[Mapping[str, Any]], parts: Sequence[Mapping[str, Any]]
) -> list[Message]:
    """Return the messages with more parts behind the text of the last one."""
    *first, last = (dict(message) for message in messages)
    if parts:
        last["content"] = [text_part(last["content"]), *parts]
    return [*first, last]


def packed_parts(images: Mapping[str, Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the image parts of several units in one call, each unit's under its id."""
    parts: list[dict[str, Any]] = []
    for unit_id, shown in images.items():
        if shown:
            parts += [text_part(f'Images of the unit with id "{unit_id}":'), *shown]
    return parts


def kind_of(content: bytes) -> str | None:
    """Return png, jpeg, gif or webp by the first bytes of a file; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return None


def _checked(value: Any, where: str, left: int, caps: ImageCaps) -> tuple[str, int]:
    """Return the address to send, with the kind the content says, and the content's size."""
    text = value.strip() if isinstance(value, str) else ""
    head, mark, encoded = text[:_HEAD_CHARS].partition(MARK)
    if not head.lower().startswith(PREFIX) or not mark:
        raise BadImage(
            f"{where}: not an image. Give it as `data:image/png;base64,...` (png, jpeg, gif or "
            "webp); an address on the web is not fetched."
        )
    encoded = "".join(text[len(head) + len(mark) :].split())  # many tools wrap its lines
    if len(encoded) / _BASE64_SHARE > left + 3:
        raise BadImage(
            f"{where}: the unit's images have more than {caps.bytes:,} bytes "
            f"({env_name('unit_max_image_bytes')})."
        )
    try:
        content = binascii.a2b_base64(encoded.encode("ascii"), strict_mode=True)
    except ValueError as error:  # binascii's errors are ValueErrors, and so is one of encoding
        raise BadImage(f"{where}: what follows `;base64,` is not base64.") from error
    kind = kind_of(content)
    if kind is None:
        raise BadImage(
            f"{where}: its bytes are neither png, jpeg, gif nor webp, whatever its name says."
        )
    return f"{PREFIX}{kind}{MARK}{encoded}", len(content)


@cache
def _caps() -> ImageCaps:
    settings = load_settings(stores=False)
    return ImageCaps(settings.unit_max_images, settings.unit_max_image_bytes)
