"""Reads an image as one row, in the form in which a stage shows images to a model."""

import base64
import warnings
from pathlib import Path

from shared.domain.columns import Column
from shared.tables.readers.json_check import printable
from shared.tables.readers.magic import image_type
from shared.tables.readers.records import ReadLimits, unreadable
from shared.tables.readers.source import Source, Table, one_row, whole

IMAGE_COLUMNS = (
    Column("name", "string"),
    Column("mime", "string"),
    Column("width", "integer"),
    Column("height", "integer"),
    Column("image", "string"),
)
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")


def read_image(source: Source) -> Table:
    """Read an image as one row: ``name, mime, width, height, image``."""
    return one_row(image_row(source.path, source.name, source.limits), IMAGE_COLUMNS)


def image_row(path: Path, name: str, limits: ReadLimits) -> dict[str, str | int]:
    """Return the row of one image; ``image`` is a ``data:`` address of its unchanged bytes."""
    data = whole(path, limits)
    kind = image_type(data[:64])
    if kind is None:
        raise unreadable("neither png, jpeg, gif nor webp")
    width, height = _size(path, limits)
    return {
        "name": printable(name),
        "mime": f"image/{kind}",
        "width": width,
        "height": height,
        "image": f"data:image/{kind};base64,{base64.b64encode(data).decode()}",
    }


def _size(path: Path, limits: ReadLimits) -> tuple[int, int]:
    """Return width and height; raise a refusal for a broken picture, or one of too many pixels."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # bounded below, before any pixel is unpacked
    warnings.simplefilter("ignore")  # of what is odd about a file, which concerns nobody here
    try:
        with Image.open(path, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > limits.pixels:
                detail = f"{width} x {height} pixels are more than {limits.pixels}"
                raise unreadable(detail, "decompression_limit")
            image.load()
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise unreadable(f"not a whole image: {error}") from error
    return width, height
