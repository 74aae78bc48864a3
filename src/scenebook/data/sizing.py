"""How large the network gets its images: as a setting says, or as suits the images and the backbone."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from scenebook.core.backbones import find_backbone
from scenebook.core.settings import AUTO
from scenebook.data.decoding import read_size
from scenebook.data.file_facts import FactsCache
from scenebook.data.images import FoundImages


class ImageSize(NamedTuple):
    """Height and width in pixels: of what the network gets, and of the images that its weights were trained on (`own`).

    `shorter` is the median shorter side of the images that are not for testing; `None` where it was not asked for.
    """

    pixels: int
    own: int
    shorter: int | None = None


def find_largest(image_size: int | str, backbone: str) -> int:
    """Returns the size that images are drawn with: the one that is set, or the backbone's own for `auto`.

    Raises:
        SettingsError: There is no such backbone.
    """
    return find_backbone(backbone).own_size if image_size == AUTO else int(image_size)


def choose_size(image_size: int | str, backbone: str, found: FoundImages) -> ImageSize:
    """Returns the size that is set, or for `auto` the backbone's own.

    Where the images are smaller than that, `auto` is their median shorter side: more pixels would show no more. It is
    never less than the backbone can take. Only headers are read, and test images are not looked at.

    Raises:
        SettingsError: There is no such backbone.
    """
    row = find_backbone(backbone)
    if image_size != AUTO:
        return ImageSize(int(image_size), row.own_size)
    with FactsCache() as cache:
        facts = cache.find(found)
    shorter = [
        min(size)
        for image, known in zip(found.images, facts, strict=True)
        if image.split != "test"
        and (size := (known["width"], known["height"]) if known else read_size(found.root / image.path))
    ]
    # What cannot be read is set aside later.
    median = int(statistics.median(shorter)) if shorter else row.own_size
    return ImageSize(max(row.least_size, min(row.own_size, median)), row.own_size, median)
