"""Images that Markdown cells name: attachments of the cell, and files of the run. Nothing else is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from scenebook.core.sentences import without_marks
from scenebook.rendering.document import Fragment, Node, ReportImage
from scenebook.rendering.outputs import IMAGE_TYPES, read_image
from scenebook.rendering.tree import map_lists, plain_text, string

LARGEST_FILE = 20_000_000
_SUFFIXES: dict[str, Literal["svg", "png", "jpg"]] = {".svg": "svg", ".png": "png", ".jpg": "jpg", ".jpeg": "jpg"}


class ImageFinder:
    """Finds the images of one notebook's Markdown.

    Args:
        folder: The notebook's folder, which relative addresses start from; `None` when there is none.
        run_dir: No file outside of it is read.
    """

    def __init__(self, folder: Path | None, run_dir: Path | None) -> None:
        self._folder = folder
        self._run_dir = run_dir.resolve() if run_dir is not None else None

    def resolve(self, fragment: Fragment, attachments: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Puts the images of a fragment into its `images`. Returns a warning for each that is only named instead."""
        warnings: list[str] = []

        def change(nodes: list[Node]) -> list[Node]:
            return [changed for node in nodes for changed in self._change(node, fragment, attachments, warnings)]

        fragment.tree = map_lists(fragment.tree, change)
        return warnings

    def _change(
        self, node: Node, fragment: Fragment, attachments: Mapping[str, Mapping[str, Any]], warnings: list[str]
    ) -> list[Node]:
        if node["t"] != "Image":
            return [node]
        _, inlines, (address, _) = node["c"]
        address, alt = without_marks(address), without_marks(plain_text(inlines))
        image = self._find(address, alt, attachments)
        if image is None:
            warnings.append(
                f"{fragment.origin}: the image {address!r} is not part of the run, so the report only names it."
            )
            return [string(f"[image: {alt or address}]")]
        fragment.images.append(image)
        return [{"t": "ReportImage", "c": {"index": len(fragment.images) - 1}}]

    def _find(self, address: str, alt: str, attachments: Mapping[str, Mapping[str, Any]]) -> ReportImage | None:
        name = unquote(address)
        alt = alt or Path(name).name
        if name.startswith("attachment:"):
            data = attachments.get(name.removeprefix("attachment:"), {})
            for mime, suffix in IMAGE_TYPES:
                content = read_image(str(data[mime]), suffix) if mime in data else None
                if content is not None:
                    return ReportImage(content, suffix, alt)
            return None
        return self._read(name, alt)

    def _read(self, name: str, alt: str) -> ReportImage | None:
        kind = _SUFFIXES.get(Path(name).suffix.lower())
        if kind is None or self._folder is None or self._run_dir is None or "://" in name:
            return None
        try:
            path = (self._folder / name).resolve()
            if not path.is_relative_to(self._run_dir) or path.stat().st_size > LARGEST_FILE:
                return None
            content = path.read_bytes()
        except (OSError, ValueError):
            return None
        return ReportImage(content, kind, alt)
