"""A folder of drawn images with everything in it that a real folder can hold, and the truth about it."""

from __future__ import annotations

import os
import socket
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from scenebook.data.scenes.drawing import draw_scene

SIZE = 64
ODD_NAMES = (
    "two words.jpg",
    'it\'s "quoted".jpg',
    "two\nlines.jpg",
    "tab\tand\rreturn.jpg",
    "=1+1,;.jpg",
    "<b>#panic()$x$.jpg",
    "図書館.jpg",
    "مكتبة.jpg",
    "😀.jpg",
    "Caf\u00e9.jpg",
    "Cafe\u0301.jpg",
    "caf\u00e9.jpg",
    b"caf\xe9.jpg".decode("utf-8", "surrogateescape"),
)
"""Names with spaces, quotes, line breaks, several scripts, bytes that are no UTF-8; some differ only by case, or only
in how an accent is stored."""


@dataclass
class Truth:
    """What is in the folder.

    Attributes:
        root: The folder.
        images: Every image that should be used, with its class.
        set_aside: Every file that should be set aside, with a part of the reason.
        passed_over: What should be counted only.
    """

    root: Path
    images: dict[str, str] = field(default_factory=dict)
    set_aside: dict[str, str] = field(default_factory=dict)
    passed_over: dict[str, int] = field(default_factory=dict)


def make_troubled(root: Path, per_class: int = 10) -> Truth:
    """Writes the folder: the classes forest, sea and street, and Sea, which differs from sea by its case only."""
    truth = Truth(root)
    for name, scene in {"forest": "forest", "sea": "sea", "street": "street", "Sea": "sea"}.items():
        for number in range(per_class if name != "Sea" else 4):
            index = number + (500 if name == "Sea" else 0)
            inside = f"{name}/{number % 3}/deep" if name == "street" and number % 2 else name
            _save(truth, f"{inside}/{number:03d}.jpg", draw(scene, index), quality=92)
    _add_formats(truth)
    for number, name in enumerate(ODD_NAMES):
        # A file system may not take a name, or may take two names for one.
        with suppress(OSError, UnicodeEncodeError):
            if not (root / "sea" / name).exists():
                _save(truth, f"sea/{name}", draw("sea", 300 + number))
    _add_unreadable(truth)
    _add_hidden(truth)
    if os.name == "posix":
        _add_links_and_pipes(truth)
    return truth


def draw(scene: str, index: int) -> Image.Image:
    """A drawn image; another index gives another one."""
    return Image.fromarray(draw_scene(scene, seed=7, index=index, size=SIZE))


def encode_png16(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, which Pillow cannot write: uint16 `(height, width, 3)`."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return _png(pixels.shape[1], pixels.shape[0], 16, 2, zlib.compress(rows))


def encode_bomb(side: int) -> bytes:
    """A PNG of a few kilobytes that unfolds to `side` times `side` black pixels."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return _png(side, side, 1, 0, packed)


def _png(width: int, height: int, bits: int, kind: int, packed: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _save(truth: Truth, path: str, image: Image.Image, **options: object) -> None:
    target = truth.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    image.save(target, **options)  # type: ignore[arg-type]
    truth.images[path] = path.split("/")[0]


def _write(truth: Truth, path: str, content: bytes, reason: str = "") -> None:
    target = truth.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    if reason:
        truth.set_aside[path] = reason
    else:
        truth.images[path] = path.split("/")[0]


def _add_formats(truth: Truth) -> None:
    images = (draw("forest", 100 + number) for number in range(100))
    for name, mode in (
        ("grey.png", "L"),
        ("palette.png", "P"),
        ("alpha.png", "RGBA"),
        ("grey alpha.png", "LA"),
        ("cmyk.jpg", "CMYK"),
        ("black and white.tif", "1"),
        ("webp.webp", "RGB"),
        ("bitmap.BMP", "RGB"),
        ("tiff.TIFF", "RGB"),
        ("one frame.gif", "P"),
    ):
        _save(truth, f"forest/{name}", next(images).convert(mode))
    grey = np.asarray(next(images).convert("L")).astype(np.uint16) * 257
    _save(truth, "forest/grey 16 bits.png", Image.fromarray(grey))
    _save(truth, "forest/grey 16 bits.tif", Image.fromarray(grey[::-1].copy()))
    _write(truth, "forest/colour 16 bits.png", encode_png16(np.asarray(next(images)).astype(np.uint16) * 257))
    frames = [next(images).convert("P").resize((32, 32)) for _ in range(3)] * 100
    _save(truth, "forest/many frames.gif", frames[0], save_all=True, append_images=frames[1:])
    turned = Image.Exif()
    turned[0x0112] = 6
    _save(truth, "forest/turned.jpg", next(images).resize((SIZE, SIZE // 2)), exif=turned)
    _save(truth, "forest/no png.jpg", next(images), format="PNG")
    _save(truth, "forest/no ending", next(images), format="JPEG")
    _save(truth, "forest/other ending.jfif", next(images), format="JPEG")


def _add_unreadable(truth: Truth) -> None:
    whole = (truth.root / "sea" / "000.jpg").read_bytes()
    _write(truth, "sea/truncated.jpg", whole[: len(whole) // 2], "truncated")
    _write(truth, "sea/text.jpg", b"not an image", "not a JPEG")
    _write(truth, "sea/empty.png", b"", "empty")
    _write(truth, "sea/notes.txt", b"hello", "not an image")
    _write(truth, "sea/phone.heic", b"\0\0\0\x18ftypheic" + bytes(20), "HEIC")
    _write(truth, "sea/phone.jpg", b"\0\0\0\x18ftypheic" + bytes(20), "HEIC")
    _write(truth, "sea/bomb.png", encode_bomb(20_000), "megapixels")
    _write(truth, "readme.md", b"# Images", "not an image")
    _write(truth, "loose.jpg", whole, "outside the class folders")


def _add_hidden(truth: Truth) -> None:
    left_behind = ("sea/.DS_Store", "street/0/Thumbs.db", "sea/1.jpg:Zone.Identifier", "__MACOSX/x.jpg")
    for path in ("forest/.hidden.jpg", ".git/x.jpg", *left_behind):
        (truth.root / path).parent.mkdir(parents=True, exist_ok=True)
        (truth.root / path).write_bytes(b"x")
    truth.passed_over = {
        "hidden files": 1,
        ".DS_Store files": 1,
        "Thumbs.db files": 1,
        "marks of downloaded files": 1,
        "__MACOSX folders": 1,
        "hidden folders": 1,
    }


def _add_links_and_pipes(truth: Truth) -> None:
    outside = truth.root.parent / "outside"
    outside.mkdir(exist_ok=True)
    draw("street", 900).save(outside / "secret.jpg")
    links = {
        "street/leaves.jpg": (outside / "secret.jpg", "leaves the folder"),
        "street/folder that leaves": (outside, "leaves the folder"),
        "street/leads nowhere.jpg": (Path("gone.jpg"), "leads nowhere"),
        "street/itself.jpg": (Path("itself.jpg"), "leads nowhere"),
        "street/round and round": (Path(".."), "a link to a folder"),
    }
    for path, (target, reason) in links.items():
        (truth.root / path).symlink_to(target)
        truth.set_aside[path] = reason
    (truth.root / "street/inside.jpg").symlink_to("000.jpg")
    truth.images["street/inside.jpg"] = "street"
    os.mkfifo(truth.root / "street/pipe.jpg")
    truth.set_aside["street/pipe.jpg"] = "named pipe"
    with suppress(OSError), socket.socket(socket.AF_UNIX) as listener:  # its path may be too long for a socket
        listener.bind(str(truth.root / "street/s.jpg"))
        truth.set_aside["street/s.jpg"] = "socket"
