import base64

import pytest

from services.worker.capabilities.images import ImageCaps, image_parts
from tests import files


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp"])
def test_an_image_is_one_row_that_a_model_can_be_shown(kit, kind):
    data = files.image(kind, (30, 20))

    [row] = kit.rows(data, "photo.bin")

    address = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    assert row == {
        "name": "photo.bin", "mime": f"image/{kind}", "width": 30, "height": 20, "image": address,
    }  # fmt: skip
    parts = image_parts([row], {"images": ["image"]}, ImageCaps(1, 10_000))
    assert parts[-1]["image_url"]["url"] == address


def test_an_image_is_told_by_its_content_and_not_by_its_name(kit):
    assert kit.rows(files.image("png"), "photo.jpg")[0]["mime"] == "image/png"
    assert "this is not an image" in kit.refusal(b"plain text", "photo.png").detail


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (files.image("png")[:40], "unreadable"),
        (files.image("jpeg", (200, 200))[:300], "unreadable"),
        (b"GIF89a", "unreadable"),
        (files.huge_png(50_000, 50_000), "decompression_limit"),
    ],
    ids=["half-png", "half-jpeg", "only-magic", "pixels"],
)
def test_a_broken_or_monstrous_image_is_refused(kit, data, code):
    assert kit.refusal(data, "photo").code == code
