from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from scenebook.rendering.pictures import SVG, count_frames, image_of, image_of_address, read_image


def encode(kind: str, frames: int = 1) -> str:
    """An image of so many frames in base64."""
    images = [Image.new("RGB", (8, 8), (40 * number, 0, 0)) for number in range(frames)]
    buffer = io.BytesIO()
    more: dict[str, Any] = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    images[0].save(buffer, kind, **more)
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize("text", ["not base64!", "aGVsbG8="])
def test_what_is_no_image_is_not_taken_for_one(text: str) -> None:
    assert read_image(text, "image/png") is None
    assert read_image("<svg", SVG) is None


@pytest.mark.parametrize(
    ("kind", "mime", "suffix"),
    [("GIF", "image/gif", "gif"), ("WEBP", "image/webp", "png"), ("BMP", "image/bmp", "png"),
     ("JPEG", "image/png", "jpg")],
)  # fmt: skip
def test_an_image_is_what_its_content_is(kind: str, mime: str, suffix: str) -> None:
    image = image_of({mime: encode(kind)}, "alt")
    assert image is not None
    assert image.suffix == suffix


def test_the_frames_of_an_animation_are_counted() -> None:
    moving, still = (image_of({"image/gif": encode("GIF", frames)}, "") for frames in (3, 1))
    assert moving is not None
    assert still is not None
    assert (count_frames(moving), count_frames(still)) == (3, 1)


@pytest.mark.parametrize(
    "address",
    [f"data:image/png;base64,{encode('PNG')}", "<svg xmlns='http://www.w3.org/2000/svg'/>",
     "data:image/svg+xml;utf8,%3Csvg/%3E", "data:image/svg+xml;base64,PHN2Zy8+"],
)  # fmt: skip
def test_an_address_may_hold_its_image(address: str) -> None:
    assert image_of_address(address, "") is not None


@pytest.mark.parametrize(
    "address", ["", "x.png", "https://x.org/y.png", "data:image/png;base64,??", "data:text/html,x"]
)
def test_an_address_of_another_place_is_not_asked(address: str) -> None:
    assert image_of_address(address, "") is None
